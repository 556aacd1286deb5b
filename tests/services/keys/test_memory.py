"""What a process remembers has bounds."""

from llm_gateway.services.keys.memory import Recent


def test_the_last_ones_stay() -> None:
    recent = Recent(3)
    for number in range(5):
        recent.add(number, float(number))
    assert [number in recent for number in range(5)] == [False, False, True, True, True]
    assert (recent.get(4), recent.get(0)) == (4.0, None)


def test_what_is_noted_again_stays_longer() -> None:
    recent = Recent(2)
    for name in ("a", "b", "a", "c"):
        recent.add(name)
    assert [name in recent for name in "abc"] == [True, False, True]
