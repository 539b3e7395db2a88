"""What a data set looks like: counts, samples, mean image, size and colour spread."""

import streamlit as st

from app import cache
from app.components import charts, pictures
from app.components.gallery import Item, gallery
from app.components.page import plain, thousands
from wbc_core.records import Dataset

_SAMPLES = 10


def headline(dataset: Dataset) -> None:
    """Draw the few numbers that say what the set is."""
    counts = cache.class_counts(dataset.id)
    smallest = min(counts, key=counts.__getitem__)
    largest = max(counts, key=counts.__getitem__)
    height, width, _ = dataset.image_shape
    with st.container(horizontal=True, gap="medium"):
        st.metric("Images", thousands(dataset.images), width="content")
        st.metric("Classes", len(dataset.class_names), width="content")
        st.metric("Size", f"{width} × {height} px", width="content")
        if counts[smallest] == counts[largest]:
            st.metric("In each class", thousands(counts[largest]), width="content")
        else:
            st.metric(f"Smallest: {plain(smallest)}", thousands(counts[smallest]), width="content")
            st.metric(f"Largest: {plain(largest)}", thousands(counts[largest]), width="content")
    st.caption(
        f"Source: {plain(dataset.source)} · imported {dataset.created[:16].replace('T', ' ')} UTC · "
        f"{dataset.id}"
    )


def samples(dataset: Dataset) -> None:
    """Draw some images of each class, in class order."""
    rows = cache.sample_rows(dataset.id, _SAMPLES)
    table = cache.table(dataset.id)
    labels, sources = table["label"].to_numpy(), table["source"].to_numpy()
    thumbnails = cache.thumbnails(dataset.id, rows)
    items = [
        Item(
            row=row,
            src=picture,
            label=dataset.class_names[labels[row]],
            badge=None,
            mark=None,
            title=str(sources[row]),
            group=dataset.class_names[labels[row]],
        )
        for row, picture in zip(rows, thumbnails, strict=True)
    ]
    gallery(items, key="samples", class_names=dataset.class_names, actions=False, tile=84)


def class_chart(dataset: Dataset) -> None:
    """Draw the images per class."""
    names = dataset.class_names
    figure = charts.bar_by_class(
        cache.class_counts(dataset.id), class_names=names, height=90 + 32 * len(names)
    )
    charts.draw(figure, key="class-counts")


def mean_images(dataset: Dataset) -> None:
    """Draw the average image of the whole set and of each class."""
    summary = cache.summary(dataset.id)
    averages = [("all", summary["mean_image"]), *summary["class_mean_images"].items()]
    pictures.strip(
        [
            pictures.Picture(cache.data_url(average), name, f"average of {name}")
            for name, average in averages
            if average is not None
        ]
    )


def spread(dataset: Dataset) -> None:
    """Draw how brightness and colour vary, and the original sizes where they differ."""
    summary = cache.summary(dataset.id)
    # The quantiles are 5, 25, 50, 75 and 95 %.
    brightness = {
        name: (values[2], values[0], values[4]) if values else (None, None, None)
        for name, values in {"all": summary["brightness"], **summary["class_brightness"]}.items()
    }
    colour = {name: (values[2], values[0], values[4]) for name, values in summary["colour"].items()}
    left, right = st.columns([3, 2], gap="large")
    with left:
        charts.draw(
            charts.interval_bars(
                brightness,
                x_title="brightness (0 to 255): median, 5 to 95 %",
                colours=charts.class_colours(dataset.class_names),
            ),
            key="brightness",
        )
    with right:
        charts.draw(
            charts.interval_bars(
                colour,
                x_title="colour (0 to 255): median, 5 to 95 %",
                colours={"red": "#cf4a4a", "green": "#2f9a5b", "blue": "#4a76d0"},
            ),
            key="colour",
        )
    sizes = summary["sizes"]
    if len(sizes) == 1:
        st.caption(f"All originals are {sizes[0]['width']} × {sizes[0]['height']} pixels.")
        return
    shown = ", ".join(
        f"{size['width']} × {size['height']} ({thousands(size['images'])})" for size in sizes[:8]
    )
    st.caption(f"Originals came in {thousands(len(sizes))} sizes, the most frequent: {shown} pixels.")
