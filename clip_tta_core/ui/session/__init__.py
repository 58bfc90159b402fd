"""What a visitor does, without Gradio: settings, links, lessons, uploads, runs, and what there is to show."""
