//! What a person should be able to read in the store: the kinds of documents and their columns.

/// The kinds of documents that will be stored, declared once when the engine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Grows when the stored form changes; a store refuses data of a newer version.
    pub version: u32,
    /// The kinds.
    pub kinds: &'static [KindSchema],
    /// The lists within them that a person reads apart.
    pub lists: &'static [ListSchema],
}

/// How one kind of document looks to a person with an SQL prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindSchema {
    /// The kind, as in [`Key::kind`](super::Key::kind).
    pub kind: &'static str,
    /// The name of the readable view, for example `certificates`.
    pub view: &'static str,
    /// The columns of the view, beside `id` and `version`.
    pub columns: &'static [Column],
}

/// How a list inside the documents of one kind looks: a row for each of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSchema {
    /// The kind.
    pub kind: &'static str,
    /// The path of the list in the JSON body, as in [`Column::path`]; a document without it has no rows.
    pub path: &'static str,
    /// The name of the readable view, for example `approvals`.
    pub view: &'static str,
    /// The columns of the view, with paths inside the member, beside the `id` and `version` of the document.
    pub columns: &'static [Column],
}

/// One readable column of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: &'static str,
    /// The path into the JSON body: member names joined by dots, for example `content.subject`.
    pub path: &'static str,
}
