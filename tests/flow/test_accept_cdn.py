"""A CDN that is configured wrongly, as the person who released reads it."""

from __future__ import annotations

from tests.flow.world import World


def test_an_unknown_distribution_is_named_with_what_to_mend(world: World) -> None:
    path = world.folder / "deploykit.toml"
    world.commit("first")
    assert world.run("deploy").code == 0
    path.write_text(path.read_text().replace("E1SHOP", "E1SHOPP"))
    done = world.run("invalidate")
    assert done.code == 5
    assert "[cdn.site] distribution E1SHOPP does not exist" in done.people
    assert "fix `distribution`" in done.document["error"]["hint"]
