//! Fields of forms, each with its label and what is to be known of it.

use maud::{Markup, html};

/// A field of a form.
#[derive(Clone, Copy, Default)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    pub(super) hint: &'a str,
    pub(super) value: &'a str,
    pub(super) class: &'a str,
}

impl Field<'_> {
    /// One line.
    pub(super) fn line(self) -> Markup {
        let described = self.described();
        self.framed(&html! {
            input #(self.name) type="text" name=(self.name) value=(self.value) autocomplete="off" spellcheck="false"
                aria-describedby=[described];
        })
    }

    /// One line that shows how it is filled in.
    pub(super) fn line_like(self, example: &str) -> Markup {
        self.framed(&html! {
            input #(self.name) type="text" name=(self.name) value=(self.value) placeholder=(example) autocomplete="off"
                spellcheck="false";
        })
    }

    /// Several lines.
    pub(super) fn lines(self, rows: u8) -> Markup {
        let described = self.described();
        self.framed(&html! {
            textarea #(self.name) name=(self.name) rows=(rows) autocomplete="off" spellcheck="false"
                aria-describedby=[described] { (self.value) }
        })
    }

    /// A choice: values with their words.
    pub(super) fn choice(self, options: &[(String, String)]) -> Markup {
        let described = self.described();
        self.framed(&html! {
            select #(self.name) name=(self.name) aria-describedby=[described] {
                @for (value, word) in options { option value=(value) selected[value == self.value] { (word) } }
            }
        })
    }

    fn described(self) -> Option<String> {
        (!self.hint.is_empty()).then(|| format!("{}-hint", self.name))
    }

    fn framed(self, control: &Markup) -> Markup {
        html! {
            div .field .(self.class) {
                label for=(self.name) { (self.label) }
                (control)
                @if let Some(id) = self.described() { p .hint id=(id) { (self.hint) } }
            }
        }
    }
}
