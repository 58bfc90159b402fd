import numpy as np
import pytest

from clip_tta_core.sources import backgrounds, painting
from clip_tta_core.sources.draws import Draws
from clip_tta_core.sources.glyphs import CELL, CHARACTERS, EXTENT, REACH, SYMBOLS, Glyph, atlas
from clip_tta_core.sources.rendered import (
    COLOURS,
    OBJECTS,
    STYLES,
    TASK,
    UNKNOWN_SOURCES,
    captions,
    labels,
    object_ids,
    render,
)

NAMES = ("umbrella", "cat", "dice", "anchor", "envelope")


def test_there_are_about_sixty_objects_and_twenty_of_them_make_the_task():
    assert len(OBJECTS) == len(set(OBJECTS)) >= 60
    assert len(TASK) == 20 and set(TASK) < set(OBJECTS)
    assert len(COLOURS) == 12


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_is_uint8_rgb_and_the_same_every_time(style):
    first = render(NAMES, seed=3, indices=range(5), style=style)
    assert first.shape == (5, 64, 64, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, render(NAMES, seed=3, indices=range(5), style=style))


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_does_not_depend_on_its_batch(style):
    ids = labels(len(OBJECTS), 0, range(70))
    together = render(ids, seed=0, indices=range(70), style=style)
    for i in (0, 1, 33, 69):
        np.testing.assert_array_equal(together[[i]], render(ids[[i]], seed=0, indices=[i], style=style))
    np.testing.assert_array_equal(
        together[::-7], render(ids[::-7], seed=0, indices=range(70)[::-7], style=style)
    )


@pytest.mark.parametrize("source", UNKNOWN_SOURCES)
def test_an_unknown_picture_is_deterministic_and_does_not_depend_on_its_batch(source):
    unknown = UNKNOWN_SOURCES[source]
    together = unknown.render(TASK, seed=4, indices=range(40))
    assert together.shape == (40, 64, 64, 3) and together.dtype == np.uint8
    np.testing.assert_array_equal(together[[39, 5]], unknown.render(TASK, seed=4, indices=[39, 5]))


def test_seeds_and_indices_give_different_pictures():
    names = ["star"] * 4
    images = np.concatenate([render(names, seed, range(4)) for seed in (0, 1)])
    assert len({image.tobytes() for image in images}) == 8


def test_names_and_places_mean_the_same():
    np.testing.assert_array_equal(object_ids(NAMES), object_ids([OBJECTS.index(name) for name in NAMES]))


def test_an_object_that_does_not_exist_is_named_with_the_nearest_that_does():
    with pytest.raises(ValueError, match="Unknown object 'umbrela'. Did you mean 'umbrella'?"):
        render(["umbrela"], 0, [0])
    with pytest.raises(ValueError, match="places must be in 0"):
        render([len(OBJECTS)], 0, [0])
    with pytest.raises(ValueError, match="Unknown style 'tinny'. Did you mean 'tiny'?"):
        render(["cat"], 0, [0], style="tinny")
    with pytest.raises(ValueError, match="one object per index must be given"):
        render(["cat"], 0, [0, 1])


def test_no_pictures_and_other_sizes_are_fine():
    assert render([], 0, []).shape == (0, 64, 64, 3)
    assert render(["cat"], 0, [0], size=32).shape == (1, 32, 32, 3)


def test_captions_name_the_object_and_never_a_wrong_colour():
    ids = labels(len(OBJECTS), 1, range(600))
    scene = painting.Scene.draw(1, range(600))
    texts = captions(ids, 1, range(600))
    assert texts[:9] == captions(ids[:9], 1, range(9))
    coloured = 0
    for text, place, colour in zip(texts, ids, scene.colour, strict=True):
        assert OBJECTS[place] in text
        named = [name for name in COLOURS if f" {name} " in text]
        coloured += bool(named)
        assert named in ([], [list(COLOURS)[colour]])
    assert 0.1 < coloured / 600 < 0.3  # mostly the object only
    assert (
        texts.count(f"a photo of a {OBJECTS[ids[0]]}") >= 1 or texts[0] != f"a photo of a {OBJECTS[ids[0]]}"
    )


def test_captions_call_large_only_what_is_large():
    ids = labels(len(OBJECTS), 2, range(500))
    scale = painting.Scene.draw(2, range(500)).scale
    texts = captions(ids, 2, range(500), ("a {}", "a large {}", "a small {}"))
    large = [s for s, text in zip(scale, texts, strict=True) if " large " in text]
    small = [s for s, text in zip(scale, texts, strict=True) if " small " in text]
    assert large and small and min(large) > max(small)


def test_a_style_keeps_the_scene_and_changes_the_look():
    plain = render(["telephone"], 7, [0]).astype(int)
    for style in STYLES:
        if style != "none":
            assert np.abs(render(["telephone"], 7, [0], style=style).astype(int) - plain).mean() > 3, style


def test_a_negative_is_the_picture_upside_down_in_brightness():
    names = ["cow"] * 30
    plain, negative = render(names, 0, range(30)), render(names, 0, range(30), style="negative")
    # Compression comes after; pictures it spared match to a level.
    error = np.abs(plain.astype(int) + negative - 255).reshape(30, -1).max(axis=1)
    assert (error <= 1).sum() > 15


def test_objects_stand_out_from_their_ground():
    luma = np.float32([0.05, 0.3, 0.5, 0.8, 0.95])
    for where in np.linspace(0, 0.999, 7, dtype=np.float32):
        away = painting._away_from(luma, np.full(5, where))
        assert np.all(np.abs(away - luma) >= painting.CONTRAST - 1e-6)
        assert np.all((away >= 0) & (away <= 1))


def test_easy_pictures_are_larger_and_upright():
    easy, wild = painting.Scene.draw(0, range(300), difficulty=0), painting.Scene.draw(0, range(300))
    assert easy.scale.min() > 0.8 and wild.scale.min() < 0.5
    assert np.all(easy.turn == 0) and np.all(easy.ground == 0)


def test_unknown_objects_avoid_the_class_list_and_refuse_a_full_one():
    known = OBJECTS[:-1]
    only = UNKNOWN_SOURCES["objects"].render(known, 0, range(6))
    np.testing.assert_array_equal(only, render([OBJECTS[-1]] * 6, 0, range(6)))
    with pytest.raises(ValueError, match="names every object"):
        UNKNOWN_SOURCES["objects"].render(OBJECTS, 0, [0])


def test_every_registered_thing_explains_itself_in_one_sentence():
    for item in [*STYLES.values(), *UNKNOWN_SOURCES.values()]:
        assert item.title and item.meaning.endswith(".") and item.meaning.count(". ") == 0


def test_every_symbol_is_in_the_font_and_no_two_look_alike():
    fields = atlas(SYMBOLS)
    missing = atlas((Glyph("missing", "\U0010fffe"),)).body[0]
    inside = (fields.body > 0).reshape(len(SYMBOLS), -1)
    for i, glyph in enumerate(SYMBOLS):
        assert np.any(np.abs(fields.body[i] - missing) > 2), glyph.name
        assert inside[i].sum() > 400, glyph.name
    assert len(
        {(fields.body[i] > 0).tobytes() + (fields.ink[i] > 0).tobytes() for i in range(len(SYMBOLS))}
    ) == len(SYMBOLS)


def test_a_distance_field_measures_distance_to_the_edge():
    square = atlas((Glyph("square", "\u25a0"),)).body[0]
    middle = square[CELL // 2]
    edge = np.flatnonzero(middle > 0)
    assert abs(len(edge) - EXTENT) <= 2
    np.testing.assert_allclose(middle[edge[:10]], np.arange(10) + 0.5, atol=1e-5)
    assert middle[0] == pytest.approx(-(edge[0] - 0.5)) and square.max() == REACH - 0.5


def test_line_drawings_are_filled_inside():
    envelope = atlas((Glyph("envelope", "\u2709", "filled"),))
    body, ink = envelope.body[0] > 0, envelope.ink[0] > 0
    assert body.sum() > 1.3 * ink.sum() and not np.any(ink & ~body)
    assert len(atlas(CHARACTERS).body) == 62


def test_finer_fields_show_the_same_shapes_in_more_cells():
    glyphs = [glyph for glyph in SYMBOLS if glyph.name in ("umbrella", "cat")]  # solid; filled, with lines
    coarse, fine = atlas(glyphs), atlas(glyphs, 4)
    for few, many in ((coarse.body, fine.body), (coarse.ink[1:], fine.ink[1:])):
        averaged = many.reshape(-1, CELL, 4, CELL, 4).mean(axis=(2, 4)) / 4  # in coarse cells
        near = np.abs(averaged) < REACH / 4 - 1
        assert near.mean() > 0.15
        assert np.abs(averaged - few)[near].max() < 1.5  # both are placed and cut to whole cells


@pytest.mark.parametrize(("size", "expected"), [(16, 1), (64, 1), (65, 2), (128, 2), (224, 4), (448, 4)])
def test_larger_pictures_are_painted_from_finer_fields(size, expected, monkeypatch):
    asked = []
    monkeypatch.setattr(painting, "atlas", lambda glyphs, fineness: asked.append(fineness) or atlas(glyphs))
    render(["star"], 0, [0], size=size)
    assert asked == [expected]


def test_draws_are_uniform_and_unrelated_across_seeds_indices_and_questions():
    draws = Draws(0, range(20_000))
    first, second, other = draws.uniform(), draws.uniform(), Draws(1, range(20_000)).uniform()
    for numbers in (first, second, other):
        assert abs(numbers.mean() - 0.5) < 0.01 and abs(numbers.std() - 12**-0.5) < 0.01
        assert 0 <= numbers.min() and numbers.max() < 1
    for pair in ((first, second), (first, other), (first[1:], first[:-1])):
        assert abs(np.corrcoef(*pair)[0, 1]) < 0.03
    assert np.bincount(Draws(2, range(6000)).integers(6)).min() > 850


@pytest.mark.parametrize("kind", range(len(backgrounds.KINDS)))
def test_patterns_stay_between_their_two_colours(kind):
    field = backgrounds.pattern(Draws(0, range(20)), np.full(20, kind), 48)
    assert field.shape == (20, 48, 48) and field.min() >= 0 and field.max() <= 1
    assert (field.std(axis=(1, 2)) > 0).all() == (backgrounds.KINDS[kind] != "plain")
