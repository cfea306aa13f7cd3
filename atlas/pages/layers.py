"""A layer's part of the site: its pictures, its page, its channels' pages, and their data."""

from collections.abc import Callable, Mapping
from typing import Any

from atlas.microscope import NAME as MICROSCOPE
from atlas.pages import addresses, describe, views, words
from atlas.pages.among import METHODS, near_labels, near_map
from atlas.pages.classes import called_data, called_view, read_called
from atlas.pages.diagram import Diagram
from atlas.pages.exemplars import Found, read_found, real_images, write_exemplars
from atlas.pages.ledger import Writer
from atlas.pages.likeness import Compared, Near, read_compared
from atlas.pages.on_photos import OnPhotos, write_on_photos
from atlas.pages.picture_config import PictureConfigs, recipe_text
from atlas.pages.pictures import ByRecipe, write_kernels, write_pictures
from atlas.pages.templating import Pages
from atlas.pages.tree import Atlas, Channel, Layer
from atlas.pages.versus import OF_LAYER, Held, beside_view, in_order, read_held, write_theirs
from atlas.pages.wire_views import weights
from atlas.pages.wiring import Feeding, read_wired
from atlas.store.store import Store


class LayerBuilder:
    """Writes all of one layer. ``network`` is the small drawing of the network on every page of a channel, ``feeding``
    says which layers feed which."""

    def __init__(
        self,
        atlas: Atlas,
        layer: Layer,
        store: Store,
        writer: Writer,
        pages: Pages,
        network: Diagram,
        feeding: Feeding,
    ):
        self.atlas, self.layer, self.store, self.writer, self.pages = atlas, layer, store, writer, pages
        self.network = network
        self.found, self.wired = read_found(layer, store), read_wired(atlas, layer, store, feeding)
        self.called = read_called(atlas, layer, store)
        self.held = read_held(atlas, layer, store)
        self.on_photos: OnPhotos | None = None
        place = atlas.layers.index(layer)
        self.before = atlas.layers[place - 1] if place else None
        self.after = atlas.layers[place + 1] if place + 1 < len(atlas.layers) else None

    def pictures(self) -> ByRecipe:
        """Write the layer's pictures; the numbers of each."""
        write_exemplars(self.layer, self.found, self.writer)
        write_kernels(self.layer, self.wired, self.writer)
        write_theirs(self.held, self.writer)
        self.on_photos = write_on_photos(self.atlas, self.layer, self.store, self.writer)
        return write_pictures(self.atlas, self.layer, self.store, self.writer)

    def build(self, numbers: ByRecipe, tick: Callable[[], None]) -> None:
        """Write the layer's pages and data, from the numbers of its pictures; ``tick`` is called after each page."""
        configs = PictureConfigs(self.atlas, self.layer)
        compared = read_compared(self.atlas, self.layer, self.store)
        near, together = self._near(compared), self._together()
        self._page(numbers, compared is not None)
        tick()
        if self.found:
            self._among(self.found)
            tick()
        if self.held:
            self._versus(self.held, numbers)
            tick()
        folder = self.layer.folder
        address = addresses.layer_page(folder)
        mini = self.pages.part("parts.html", "network", address, self.network, None, self.layer.name)
        told = []
        for index, channel in enumerate(self.layer.shown):
            beside = {"near": near.get(channel.number, {}), "together": together.get(channel.number, {})}
            described = describe.channel(self.atlas, self.layer, channel, numbers, self._found(channel.number, beside))
            told.append(described)
            own = {recipe: configs.of(recipe, channel.number) for recipe in channel.renderings}
            self.writer.put(
                addresses.channel_data(folder, channel.number),
                describe.channel_file(self.atlas, self.layer, described, numbers, own, self._told_of_photos(channel)),
            )
            self._channel(index, channel, numbers, own, beside, mini)
            tick()
        self.writer.put(addresses.layer_data(folder), describe.layer_file(self.atlas, self.layer, told, numbers))
        script = describe.layer_script(self.atlas, self.layer, numbers, compared)
        self.writer.put(addresses.layer_script(folder), script)

    def _near(self, compared: Compared | None) -> dict[int, dict[str, list[Near]]]:
        """What is most like each channel: in this layer, in the one before and in the one after, by layer."""
        if compared is None:
            return {}
        rows = {self.layer.name: compared.near}
        before = read_compared(self.atlas, self.before, self.store) if self.before else None
        after = read_compared(self.atlas, self.after, self.store) if self.after else None
        if before and compared.before.size:
            rows[before.layer] = compared.near_in(before)
        if after and after.before.size:
            rows[after.layer] = compared.near_after(after)
        return {channel: {layer: found[row] for layer, found in rows.items()} for channel, row in compared.rows.items()}

    def _found(self, channel: int, beside: Mapping[str, Mapping[str, list[Near]]]) -> dict[str, Any]:
        """What studies found out of a channel, as plain data."""
        return {
            **{kind: {layer: [vars(one) for one in near[layer]] for layer in near} for kind, near in beside.items()},
            "images": self.found.told(channel) if self.found else None,
            "weights": self.wired.told(self.layer.folder, channel),
            "classes": called_data(self.atlas, channel, self.called),
            "versus": self.held.told(channel) if self.held else None,
        }

    def _told_of_photos(self, channel: Channel) -> dict[str, Any] | None:
        """What a channel does on photos, as plain data."""
        return self.on_photos.told(channel.number) if self.on_photos else None

    def _together(self) -> dict[int, dict[str, list[Near]]]:
        """What goes with each channel over real images: in this layer, in the one before and in the one after."""
        if self.found is None:
            return {}
        rows = {self.layer.name: self.found.together()}
        if self.before:
            rows[self.before.name] = self.found.together_before(self.before.name)
        after = read_found(self.after, self.store) if self.after else None
        if after:
            channels = tuple(channel.number for channel in self.layer.shown)
            rows[after.layer] = after.together_after(channels)
        return {
            channel: {layer: row[channel] for layer, row in rows.items() if channel in row}
            for channel in self.found.rows
        }

    def _page(self, numbers: ByRecipe, compared: bool) -> None:
        atlas, layer = self.atlas, self.layer
        states = [channel.renderings[atlas.main].standing for channel in layer.shown]
        address = addresses.layer_page(layer.folder)
        made = addresses.pictured(atlas, layer)
        page = self.pages.page(
            "layer.html",
            address,
            layer=layer,
            groups=views.grid(atlas, layer),
            sight=words.sight(layer.receptive_field, atlas.network),
            kind=words.KIND_WORDS.get(layer.kind, layer.kind),
            compared=compared,
            script=addresses.layer_script(layer.folder),
            sheet=addresses.layer_sheet(layer.folder) if made else None,
            near_page=addresses.near(layer.folder) if self.found else None,
            versus_page=addresses.versus(layer.folder) if self.held else None,
            held=self.held,
            maps_page=addresses.photo_layer_page(atlas.photos[0], layer.folder) if self.on_photos else None,
            whole=[
                views.rendering_view(
                    atlas, layer, None, recipe, numbers.get((None, recipe)), recipe_text(layer.recipes[recipe])
                )
                for recipe in layer.whole
            ],
            dead=states.count("dead"),
            dead_word=words.dead(layer),
            activation=words.activation(layer.activation),
            failed=states.count("failed"),
            missing=states.count("missing"),
            previous=self.before.name if self.before else None,
            next=self.after.name if self.after else None,
            **self._card(made[0].number if made else None, numbers),
        )
        self.writer.put(address, page)

    def _among(self, found: Found) -> None:
        """The page that lays the layer's pictures out among real images."""
        address, labels = addresses.near(self.layer.folder), near_labels(self.atlas, self.layer, found)
        page = self.pages.page(
            "near.html",
            address,
            layer=self.layer,
            count=int(found.record["images"]),
            map=near_map(self.layer, found),
            method=METHODS[found.record["layout"]],
            labels=labels,
            more=len(found.labels) - len(labels) if labels else 0,
        )
        self.writer.put(address, page)

    def _versus(self, held: Held, numbers: ByRecipe) -> None:
        """The page that holds the layer's pictures against those by others."""
        address, rows = addresses.versus(self.layer.folder), in_order(self.atlas, held, numbers)
        page = self.pages.page(
            "versus.html",
            address,
            layer=self.layer,
            held=held,
            rows=rows,
            word=OF_LAYER[held.verdict] if rows else "",
            middle=rows[len(rows) // 2] if rows else None,
            better=sum(one.better >= 0 for one in rows),
            elsewhere=views.elsewhere(self.atlas, self.layer, 0) if held.by == MICROSCOPE else None,
        )
        self.writer.put(address, page)

    def _channel(
        self,
        index: int,
        channel: Channel,
        numbers: ByRecipe,
        configs: Mapping[str, str],
        beside: Mapping[str, Mapping[str, list[Near]]],
        mini: str,
    ) -> None:
        atlas, layer, shown = self.atlas, self.layer, self.layer.shown
        renderings = [
            views.rendering_view(
                atlas,
                layer,
                channel,
                recipe,
                numbers.get((channel.number, recipe)),
                configs[recipe],
            )
            for recipe in channel.renderings
        ]
        alike = [one.channel for one in beside["near"].get(layer.name, ())][:2]
        address = addresses.channel_page(layer.folder, channel.number)
        page = self.pages.page(
            "channel.html",
            address,
            layer=layer,
            number=channel.number,
            note=channel.note,
            class_name=atlas.class_name(layer, channel.number),
            main=renderings[0],
            others=renderings[1:],
            branch=layer.branch(channel.number),
            copy=views.copy_of(atlas, layer, channel.number),
            sight=words.sight(layer.receptive_field, atlas.network),
            previous=views.cell(atlas, layer, shown[index - 1]) if index else None,
            next=views.cell(atlas, layer, shown[index + 1]) if index + 1 < len(shown) else None,
            near=_rows(atlas, layer, beside["near"]),
            together=_rows(atlas, layer, beside["together"]),
            near_page=addresses.near(layer.folder),
            real=real_images(atlas, layer, channel, self.found),
            weights=weights(atlas, layer, channel.number, self.wired),
            called=called_view(atlas, channel, self.called),
            held=self.held,
            beside=beside_view(atlas, self.held, channel.number, numbers.get((channel.number, atlas.main))),
            versus_page=addresses.versus(layer.folder),
            on_photos=self.on_photos.view(channel.number) if self.on_photos else None,
            comparison=",".join(f"{layer.name}/{number}" for number in [channel.number, *alike]),
            mini=mini,
            data=addresses.channel_data(layer.folder, channel.number),
            citation=words.citation(atlas, layer, channel.number),
            elsewhere=views.elsewhere(atlas, layer, channel.number),
            **self._card(channel.number, numbers),
        )
        self.writer.put(address, page)

    def _card(self, channel: int | None, numbers: ByRecipe) -> dict[str, views.Picture]:
        """The picture of a page's social card."""
        made = numbers.get((channel, self.atlas.main)) if channel is not None else None
        if made is None:
            return {}
        address = addresses.picture(self.atlas, self.layer.folder, channel, self.atlas.main)
        alt = f"The picture made for {self.layer.name} channel {channel}"
        return {"card": views.Picture(address, made.width, made.height, alt)}


def _rows(atlas: Atlas, layer: Layer, near: Mapping[str, list[Near]]) -> tuple[views.NearRow, ...]:
    return views.near_rows(atlas, [(f"In {name}", near[name]) for name in _in_order(atlas, layer, near)])


def _in_order(atlas: Atlas, layer: Layer, near: Mapping[str, list[Near]]) -> list[str]:
    """The layers that are told of: the layer itself, then those before and after it."""
    names = [one.name for one in atlas.layers if one.name in near and one.name != layer.name]
    return [name for name in (layer.name, *names) if name in near]
