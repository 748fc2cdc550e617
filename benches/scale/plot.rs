//! The picture: what each operation costs by size, both scales logarithmic.

use std::path::{Path, PathBuf};

use plotters::prelude::*;

use crate::measure::Measured;
use crate::place::Place;

const SIZE: (u32, u32) = (1200, 600);

/// Draws all stores side by side, and tells where.
pub(crate) fn draw(all: &[Measured]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("scale.svg");
    draw_into(&path, all);
    path
}

fn draw_into(path: &Path, all: &[Measured]) {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let stores: Vec<Vec<&Measured>> = Place::ALL
        .iter()
        .map(|place| all.iter().filter(|each| each.store == place.name()).collect::<Vec<_>>())
        .filter(|of_store| !of_store.is_empty())
        .collect();
    for (part, of_store) in area.split_evenly((1, stores.len().max(1))).iter().zip(&stores) {
        draw_store(part, of_store);
    }
    area.present().unwrap();
}

fn draw_store(area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, measured: &[&Measured]) {
    let sizes = measured.iter().map(|each| each.certificates as f64);
    let costs = || measured.iter().flat_map(|each| each.costs.iter().map(|(_, cost)| cost.as_secs_f64() * 1e6));
    let (first, last) = sizes.fold((f64::MAX, 0.0_f64), |(low, high), size| (low.min(size), high.max(size)));
    let (least, most) = costs().fold((f64::MAX, 0.0_f64), |(low, high), cost| (low.min(cost), high.max(cost)));
    let mut chart = ChartBuilder::on(area)
        .caption(&measured[0].store, ("sans-serif", 24))
        .margin(20)
        .x_label_area_size(50)
        .y_label_area_size(80)
        .build_cartesian_2d((first * 0.8..last * 1.25).log_scale(), (least / 2.0..most * 8.0).log_scale())
        .unwrap();
    let whole = |size: &f64| format!("{size:.0}");
    let mesh = &mut chart.configure_mesh();
    mesh.x_desc("certificates").y_desc("microseconds").x_label_formatter(&whole).y_label_formatter(&whole);
    mesh.draw().unwrap();
    for (at, (operation, _)) in measured[0].costs.iter().enumerate() {
        let color = Palette99::pick(at).to_rgba();
        let points = || measured.iter().map(|each| (each.certificates as f64, each.micros(*operation)));
        let line = chart.draw_series(LineSeries::new(points(), color.stroke_width(2))).unwrap();
        line.label(operation.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(points().map(|point| Circle::new(point, 3, color.filled()))).unwrap();
    }
    let legend = &mut chart.configure_series_labels();
    legend.background_style(WHITE.mix(0.8)).border_style(BLACK).position(SeriesLabelPosition::UpperLeft);
    legend.draw().unwrap();
}
