//! Reading the pages: their fenced blocks, with the comment that says what a block is.

use std::fs;
use std::path::PathBuf;

/// One page.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block.
pub struct Block {
    /// What stands behind the fence: `yaml`, `json`, `sh`, `text`.
    pub language: String,
    /// The comment on the line before the fence, without its marks.
    pub mark: Option<String>,
    pub text: String,
    /// Of the opening fence, from 1.
    pub line: usize,
}

/// The folder of the repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Every page, in the order of names.
pub fn all() -> Vec<Page> {
    let folder = root().join("docs");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.into_iter().map(|path| Page { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

/// The page `name`, such as `errors`.
pub fn named(name: &str) -> Page {
    let path = root().join("docs").join(format!("{name}.md"));
    Page { text: fs::read_to_string(&path).unwrap(), path }
}

impl Page {
    /// The file's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut before = "";
        for (at, line) in self.text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(language)) => {
                    let comment = before.strip_prefix("<!--").and_then(|text| text.strip_suffix("-->"));
                    let mark = comment.map(|text| text.trim().to_owned());
                    open = Some(Block { language: language.to_owned(), mark, text: String::new(), line: at + 1 });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
            before = line;
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name());
        blocks
    }
}

impl Block {
    /// What the comment says after `name:`.
    pub fn marked(&self, name: &str) -> Option<&str> {
        Some(self.mark.as_deref()?.strip_prefix(name)?.strip_prefix(':')?.trim())
    }
}

/// Links between pages lead somewhere: to a file, and to a heading where they name one.
#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in all() {
        for target in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") || target.contains(' ') || target.is_empty() {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target} leads nowhere", page.name());
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(found, "{}: {target} names no heading", page.name());
            }
        }
    }
}

/// A heading's name in links, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_map_names_every_page() {
    let map = named("README").text;
    for page in all().iter().map(Page::name).filter(|name| name != "README.md") {
        assert!(map.contains(&format!("({page})")), "docs/README.md does not name {page}");
    }
}
