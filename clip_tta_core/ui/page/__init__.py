"""The page as Gradio builds it: layout, parts, tabs, theme."""
