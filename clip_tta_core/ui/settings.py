"""For scripts and notebooks: a class list in any form people keep it, and the page's settings as a RunConfig.

The page's own functions, under a name that stays when the rooms of the page are moved about.
"""

from clip_tta_core.ui.session.settings import defaults, split_names, to_config

__all__ = ["defaults", "split_names", "to_config"]
