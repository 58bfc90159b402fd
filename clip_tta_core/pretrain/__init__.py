"""Train the CLIPs that ship with the project: python -m clip_tta_core.pretrain [rendered | photo]"""
