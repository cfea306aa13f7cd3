"""Templates, from their folder to code."""

from jinja2 import Environment

from atlas.pages.templating import environment


def test_a_template_is_compiled_once_in_a_process_and_again_when_it_changes(tmp_path, monkeypatch):
    compiled, compile_one = [], Environment.compile

    def noted(self, source, name, *rest, **more):
        compiled.append(name)
        return compile_one(self, source, name, *rest, **more)

    monkeypatch.setattr(Environment, "compile", noted)
    page = tmp_path / "page.html"
    for text, shown in (("{{ 1 + 1 }}", "2"), ("{{ 1 + 1 }}", "2"), ("{{ 1 + 2 }}", "3")):
        page.write_text(text)
        assert environment(tmp_path).get_template("page.html").render() == shown
    assert compiled == ["page.html"] * 2
    other = tmp_path / "other"
    other.mkdir()
    (other / "page.html").write_text("other")
    assert environment(tmp_path, other).get_template("page.html").render() == "other"
    assert environment(tmp_path).get_template("page.html").render() == "3"
    assert compiled == ["page.html"] * 3
