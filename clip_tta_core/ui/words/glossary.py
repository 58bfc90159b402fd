"""What the words of the field mean, and a short primer: declared once, shown wherever they occur."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from clip_tta_core.methods import METHODS

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Link:
    """Where to read on: a paper's address, or a file of this repository."""

    title: str
    to: str

    @classmethod
    def paper(cls, title: str, arxiv: str) -> Link:
        return cls(title, f"https://arxiv.org/abs/{arxiv}")

    @classmethod
    def code(cls, path: str) -> Link:
        """A file, by its path in the repository."""
        return cls(f"code: {path.rsplit('/', 1)[-1]}", path)

    def address(self) -> str:
        """The link as the browser follows it: code opens on the hub where the page runs there, else here."""
        if self.to.startswith("https://"):
            return self.to
        if space := os.environ.get("SPACE_ID"):
            return f"https://huggingface.co/spaces/{space}/blob/main/{self.to}"
        return f"gradio_api/file={ROOT / self.to}"


CLIP = Link.paper("Radford et al., ICML 2021", "2103.00020")
TENT = Link.paper("Wang et al., ICLR 2021", "2006.10726")
CLIPTTA = Link.paper("Lafon et al., NeurIPS 2025", "2507.14312")
CORRUPTIONS = Link.paper("Hendrycks and Dietterich, ICLR 2019", "1903.12261")
CODE = {
    "tent": Link.code("clip_tta_core/methods/tent.py"),
    "cliptta": Link.code("clip_tta_core/methods/cliptta.py"),
    "losses": Link.code("clip_tta_core/losses.py"),
    "scores": Link.code("clip_tta_core/scores.py"),
    "memory": Link.code("clip_tta_core/memory.py"),
    "plane": Link.code("assets/js/lib/plane.js"),
}


@dataclass(frozen=True)
class Term:
    """A word of the field; `also` are other ways in which the page writes it."""

    word: str
    says: str
    links: tuple[Link, ...] = ()
    also: tuple[str, ...] = ()


GLOSSARY = (
    Term(
        "zero-shot",
        "Answering with no example of the classes: the picture gets the class whose caption lies nearest.",
        (CLIP,),
    ),
    Term(
        "test-time adaptation",
        "Learning from the very pictures that are to be answered, without their labels, while they come in.",
        also=("TTA",),
    ),
    Term("TENT", "Adapts by lowering the entropy of its own answers.", (TENT, CODE["tent"])),
    Term(
        "CLIPTTA",
        "Adapts by contrasting each picture with the captions that are answered in its batch, with a "
        "diversity bonus and a memory of sure pictures.",
        (CLIPTTA, CODE["cliptta"]),
    ),
    Term(
        "entropy",
        "How undecided an answer is: 0 when one class has all the probability, largest when all have the "
        "same.",
        (CODE["losses"],),
    ),
    Term(
        "diversity bonus",
        "A reward for batches whose answers, taken together, spread over the classes. It assumes that all "
        "classes are about equally frequent.",
        (CODE["losses"],),
    ),
    Term(
        "contrast",
        "A loss that asks which of several captions belongs to a picture. CLIPTTA’s asks among the captions "
        "its batch answers, one a picture: where many say the same, none of them can be chosen surely.",
        (CLIPTTA, CODE["losses"]),
        also=("contrasted", "contrastive"),
    ),
    Term(
        "batch",
        "The pictures that come together: a method looks at all of them, learns from them, and answers them.",
        also=("batches",),
    ),
    Term(
        "step size",
        "How far one optimization step moves the weights; also called learning rate.",
        also=("learning rate", "lr"),
    ),
    Term(
        "image to text",
        "The half of the contrastive loss in which each picture chooses among the captions of its batch. "
        "CLIPTTA’s main experiments use this half alone.",
        (CLIPTTA, CODE["losses"]),
    ),
    Term(
        "text to image",
        "The other half, in which each caption of the batch chooses among the pictures.",
        (CLIPTTA, CODE["losses"]),
    ),
    Term(
        "collapse",
        "Answering nearly everything with one or a few classes, ever more surely.",
        also=("collapses", "collapsed"),
    ),
    Term(
        "classes in use",
        "e to the entropy of the histogram of answers: 1 if all answers are the same, K if K classes are "
        "answered equally often.",
    ),
    Term(
        "calibration error",
        "How far confidence is from accuracy: whoever is 90% sure and right on 60% is off by 30 points.",
        also=("ECE",),
    ),
    Term(
        "confidence",
        "The largest of the class probabilities of an answer: how sure it is, be it right or wrong.",
    ),
    Term(
        "AUROC",
        "How often a known picture scores higher than an unknown one: 50% is guessing, 100% a clean cut.",
    ),
    Term(
        "FPR95",
        "Where the threshold lets 95% of the known pictures in, the share of unknown ones that come in too.",
    ),
    Term(
        "memory",
        "CLIPTTA’s store of the surest pictures of each predicted class; some are replayed at every step.",
        (CODE["memory"],),
    ),
    Term(
        "normalization",
        "Layers that rescale what passes through; their scale and shift are the few numbers that most of "
        "the methods train.",
        also=("LayerNorm",),
    ),
    Term(
        "open set",
        "A stream that also brings pictures of none of the known classes, which had better be left "
        "unanswered.",
        also=("open-set",),
    ),
    Term(
        "corruption",
        "Noise, blur, weather and the like, laid over a picture in five severities.",
        (CORRUPTIONS,),
        also=("corruptions",),
    ),
    Term("logits", "What softmax turns into probabilities: cosines times CLIP’s scale."),
    Term(
        "scores",
        "Numbers, one for each picture, that should be larger for known pictures than for unknown ones. "
        "CLIPTTA’s is the largest log-probability of a class.",
        (CODE["scores"],),
    ),
)


@dataclass(frozen=True)
class Section:
    """One section of the primer, a few sentences."""

    title: str
    text: str
    links: tuple[Link, ...] = ()
    picture: str = ""  # a drawing among the assets


PRIMER = (
    Section(
        "CLIP in one picture",
        "CLIP has learnt, from pictures and the sentences beside them, to turn both into arrows in one "
        "space, so that a picture points the way its caption does. To classify, one writes a caption for "
        "each class, and a picture gets the class whose caption is nearest. Nothing was trained for these "
        "classes: that is zero-shot.",
        (CLIP,),
        picture="clip_in_one_picture.svg",
    ),
    Section(
        "Test-time adaptation",
        "Noise, blur or another style move all pictures to a place the model does not know, and answers go "
        "wrong. Test-time adaptation lets the model go on learning there, from the pictures it is asked "
        "about. It sees no labels, and only one batch at a time. Usually only scale and shift of the "
        "normalization layers are trained, which all pictures share.",
    ),
    Section(
        "TENT",
        "Without labels, one can still ask for sure answers: TENT lowers the entropy of each prediction. "
        "Where most answers are right, that sharpens them. It also sharpens wrong ones, and since all "
        "pictures share the weights, the majority drags the others along.",
        (TENT, CODE["tent"]),
    ),
    Section(
        "Collapse",
        "If most pictures lean to one class, moving everything there makes all answers surer. Entropy "
        "falls, and no term of TENT’s loss speaks for the classes that die out. The tab Why shows it with "
        "points one can drag.",
        (CODE["plane"],),
    ),
    Section(
        "CLIPTTA",
        "CLIPTTA lets each picture choose among the captions that its batch answers. A class that many "
        "answer has many copies of its caption, so no copy can be chosen surely, and the pull towards that "
        "class fades; pictures of rarer classes then steer the shared weights. A diversity bonus and a "
        "memory of sure pictures help. One thing it does not do: this loss never lowers a picture’s score "
        "for the class it leans to already. A wrong picture is rescued through the weights it shares with "
        "others, or by bonus and memory.",
        (CLIPTTA, CODE["cliptta"], CODE["losses"]),
    ),
    Section(
        "Open set",
        "In the wild some pictures show none of the classes. Adapting to them does harm, so CLIPTTA learns "
        "to tell known from unknown pictures by their scores, and trains on those it takes for known.",
        (CLIPTTA, CODE["cliptta"]),
    ),
)


def paper_of(citation: str) -> str:
    """The address of a paper that is cited with its number at arXiv; "" without one."""
    found = re.search(r"arXiv (\d{4}\.\d{5})", citation)
    return Link.paper("", found[1]).address() if found else ""


def code_of(method: str) -> Link:
    """The file of a method."""
    return Link.code(METHODS[method].__module__.replace(".", "/") + ".py")


def code_files() -> list[Path]:
    """The files that the page's links open from this server."""
    return sorted({ROOT / link.to for link in (*CODE.values(), *map(code_of, METHODS))})
