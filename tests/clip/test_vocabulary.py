import pytest

from clip_tta_core.clip.towers import Config

TEXTS = ("a photo of a cat", "a photo of a red music note", "art of the dog.")
CONFIG = Config.for_texts(TEXTS)


@pytest.fixture(scope="module")
def vocabulary():
    return CONFIG.vocabulary("small-CLIP", "pets and notes")


def test_the_vocabulary_is_just_the_words_of_the_texts():
    assert CONFIG.words == (".", "a", "art", "cat", "dog", "music", "note", "of", "photo", "red", "the")
    assert CONFIG.tokens == tuple(sorted(CONFIG.tokens))
    assert len(CONFIG.tokens) == 11 + 3  # start, end, padding


def test_texts_become_rows_with_the_end_marked_by_the_largest(vocabulary):
    rows = vocabulary.tokenize(["a cat", "the red music note."])
    assert rows.shape == (2, CONFIG.context_length) and str(rows.dtype) == "torch.int64"
    # Where the text ends, which is where the tower reads its feature.
    assert rows.argmax(dim=1).tolist() == [3, 6]
    assert rows[0, 4:].eq(0).all()
    assert rows.max() == len(CONFIG.tokens) - 1


def test_case_and_space_do_not_matter(vocabulary):
    assert vocabulary.tokenize("  A  Photo of a CAT ").equal(vocabulary.tokenize("a photo of a cat"))


def test_or_is_passed_over(vocabulary):
    assert vocabulary.tokenize("a cat or dog").equal(vocabulary.tokenize("a cat dog"))


def test_unknown_words_are_named_in_one_sentence_that_says_whose_they_are(vocabulary):
    sentence = r"^small-CLIP does not know 'giraffe', 'zebra'; name pets and notes or choose a larger CLIP\.$"
    with pytest.raises(ValueError, match=sentence):
        vocabulary.tokenize(["a photo of a zebra", "a giraffe", "a cat"])
    with pytest.raises(ValueError, match="does not know '!'"):
        vocabulary.tokenize("a cat!")
    with pytest.raises(ValueError, match="'w101' and 995 more words; "):
        vocabulary.tokenize(" ".join(f"w{k}" for k in range(1000)))


def test_no_texts_give_no_rows(vocabulary):
    assert vocabulary.tokenize([]).shape == (0, CONFIG.context_length)
