//! Configurations: the one that ships, on ports that are free, with what a test changes in it.

/// The configuration that ships.
pub(crate) const SHIPPED: &str = include_str!("../../examples/chancery.toml");

/// The one that ships, on any ports.
pub(crate) fn shipped() -> String {
    [":8443\"", ":8880\"   ", ":8881\""].iter().fold(SHIPPED.to_owned(), |text, port| text.replace(port, ":0\""))
}

/// The same over plain HTTP, and without bounds on how often somebody asks.
pub(crate) fn plain() -> String {
    let text = shipped();
    let (head, rest) = text.split_once("[tls]").unwrap();
    let (_, tail) = rest.split_once("[limits]").unwrap();
    let text = format!("{head}[limits]{tail}");
    text.replace("_per_minute = 6000", "_per_minute = 0").replace("_per_minute = 1200", "_per_minute = 0")
}
