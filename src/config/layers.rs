//! The layers of a configuration, merged by figment: built-in defaults, the file, the environment, flags. Every value keeps the layer that it came from.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Num, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::fault::{ConfigFault, Faults, KeyPath, looks_secret, quoted};
use super::keys;
use super::{DEFAULTS, Source};

/// Begins the names of the environment variables that are configuration keys.
const PREFIX: &str = "SESSION_REAPER__";
/// Names the configuration file.
const FILE_VARIABLE: &str = "SESSION_REAPER_CONFIG";
/// A TOML date or time travels through figment, which has none, as a table with this one key.
pub(super) const DATETIME: &str = "$datetime";
/// The name of the layer of built-in defaults.
const BUILT_IN: &str = "default";

/// All layers as one tree, and where each value came from.
pub(super) struct Merged {
    pub(super) tree: Value,
    pub(super) origins: Origins,
}

/// Where values came from.
pub(super) struct Origins {
    figment: Figment,
    positions: BTreeMap<String, (usize, usize)>,
    file: PathBuf,
}

impl Origins {
    /// The place of a value: `file:line:column`, the environment variable, the flag, or `default`.
    pub(super) fn place(&self, path: &KeyPath, tag: Tag) -> String {
        match self.figment.get_metadata(tag) {
            Some(layer) if layer.source.is_none() => layer.name.to_string(),
            _ => self.place_in_file(path),
        }
    }

    fn place_in_file(&self, path: &KeyPath) -> String {
        let file = self.file.display();
        self.position(path).map_or_else(|| file.to_string(), |(line, column)| format!("{file}:{line}:{column}"))
    }

    /// Line and column of the key, or of the nearest one around it that stands in the file.
    pub(super) fn position(&self, path: &KeyPath) -> Option<(usize, usize)> {
        let mut path = path.clone();
        loop {
            let written = path.to_string();
            match self.positions.get(&written) {
                Some(position) => return Some(*position),
                None if written.is_empty() => return None,
                None => path = path.parent(),
            }
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

/// Reads and merges all layers. Faults here are those that keep a layer from being read at all.
pub(super) fn merge(source: &Source) -> Result<Merged, Faults> {
    let defaults = parse(BUILT_IN, DEFAULTS)?;
    let (path, text) = read_file(source)?;
    let shown = path.display().to_string();
    let file = parse(&shown, &text)?;
    if file.dict.is_empty() {
        let expected = "accounts and policies: config/example.toml shows how, and `session-reaper schema` serves editors".to_owned();
        return Err(one(shown, "accounts", "an empty file", expected));
    }
    let mut figment = Figment::from(Layer { metadata: Metadata::named(BUILT_IN), dict: defaults.dict })
        .merge(Layer { metadata: Metadata::from("file", path.as_path()), dict: file.dict });
    for layer in variables(source).into_iter().chain(flags(source)?) {
        figment = figment.merge(layer);
    }
    let tree = figment.find_value("").map_err(|error| one(shown, "", "layers that could not be merged", error.kind.to_string()))?;
    Ok(Merged { tree, origins: Origins { figment, positions: file.positions, file: path } })
}

fn one(place: impl Into<String>, key: &str, found: impl Into<String>, expected: impl Into<String>) -> Faults {
    Faults(vec![ConfigFault { place: place.into(), key: key.to_owned(), found: found.into(), expected: expected.into(), meant: None }])
}

/// One layer, as figment takes it.
struct Layer {
    metadata: Metadata,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// What is read of a configuration file.
const LONGEST_FILE: u64 = 4 << 20;

fn read_file(source: &Source) -> Result<(PathBuf, String), Faults> {
    if let Some(text) = &source.text {
        return Ok(("built-in".into(), text.clone()));
    }
    let path = find_file(source)?;
    let mut text = Vec::new();
    let read = std::fs::File::open(source.cwd.join(&path)).and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut text));
    read.map_err(|error| one(path.display().to_string(), "", error.to_string(), "a file to read"))?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(one(path.display().to_string(), "", format!("more than {} MiB", LONGEST_FILE >> 20), "a configuration"));
    }
    match String::from_utf8(text) {
        Ok(text) => Ok((path, text)),
        Err(_) => Err(one(path.display().to_string(), "", "bytes that are not UTF-8", "a TOML file in UTF-8")),
    }
}

pub(super) fn find_file(source: &Source) -> Result<PathBuf, Faults> {
    if let Some(file) = &source.file {
        return Ok(file.clone());
    }
    if let Some(file) = source.variable(FILE_VARIABLE).filter(|file| !file.is_empty()) {
        return Ok(file.into());
    }
    let usual = ["session-reaper.toml", "/etc/session-reaper/config.toml"];
    usual.iter().map(PathBuf::from).find(|file| source.cwd.join(file).exists()).ok_or_else(|| {
        let expected = format!(
            "--config FILE, ${FILE_VARIABLE}, ./{} or {}: start from config/example.toml, or see it work without one: `session-reaper demo`",
            usual[0], usual[1]
        );
        one("configuration", "", "no file", expected)
    })
}

/// A TOML text as figment's values, and the line and column of every key.
struct Parsed {
    dict: Dict,
    positions: BTreeMap<String, (usize, usize)>,
}

/// The most syntax errors of one file that are told: after a slip, the rest is mostly echo.
const SYNTAX_FAULTS: usize = 5;

fn parse(place: &str, text: &str) -> Result<Parsed, Faults> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    if !errors.is_empty() {
        return Err(Faults(errors.iter().take(SYNTAX_FAULTS).map(|error| syntax_fault(place, &lines, error)).collect()));
    }
    let mut walk = Walk { lines, positions: BTreeMap::new() };
    let dict = walk.table(table.get_ref(), &KeyPath::default());
    Ok(Parsed { dict, positions: walk.positions })
}

fn syntax_fault(place: &str, lines: &Lines<'_>, error: &toml::de::Error) -> ConfigFault {
    let place = match error.span() {
        Some(span) => {
            let (line, column) = lines.position(span.start);
            format!("{place}:{line}:{column}")
        }
        None => place.to_owned(),
    };
    let message = error.message().replace('\n', ", ");
    let found = if looks_secret(&message) { "broken TOML".to_owned() } else { format!("broken TOML ({message})") };
    ConfigFault { place, key: String::new(), found, expected: "TOML".to_owned(), meant: None }
}

/// Turns byte offsets into lines and columns, both from 1, columns in characters.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

struct Walk<'a> {
    lines: Lines<'a>,
    positions: BTreeMap<String, (usize, usize)>,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &KeyPath) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table {
            let path = path.key(key.get_ref());
            self.positions.insert(path.to_string(), self.lines.position(key.span().start));
            dict.insert(key.get_ref().to_string(), self.value(value.get_ref(), &path));
        }
        dict
    }

    fn value(&mut self, value: &DeValue<'_>, path: &KeyPath) -> Value {
        match value {
            DeValue::Table(table) => Value::Dict(Tag::Default, self.table(table, path)),
            DeValue::Array(items) => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let path = path.index(index);
                    self.positions.insert(path.to_string(), self.lines.position(item.span().start));
                    list.push(self.value(item.get_ref(), &path));
                }
                Value::Array(Tag::Default, list)
            }
            scalar => scalar_value(scalar),
        }
    }
}

fn scalar_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        // Beyond 64 bits there is no count or rate that we take: the range checks refuse it by its size.
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => Value::Num(Tag::Default, Num::F64(f64::INFINITY)),
        },
        DeValue::Float(number) => Value::from(number.as_str().parse::<f64>().unwrap_or(f64::NAN)),
        DeValue::Datetime(at) => Value::Dict(Tag::Default, Dict::from([(DATETIME.to_owned(), Value::from(at.to_string()))])),
        DeValue::Table(_) | DeValue::Array(_) => Value::from(false),
    }
}

fn variables(source: &Source) -> Vec<Layer> {
    let ours = source.env.iter().filter_map(|(name, value)| Some((name, name.strip_prefix(PREFIX)?, value)));
    ours.map(|(name, key, value)| {
        let steps: Vec<String> = key.split("__").map(str::to_lowercase).collect();
        Layer { metadata: Metadata::named(name.clone()), dict: nested(&steps, value) }
    })
    .collect()
}

fn flags(source: &Source) -> Result<Vec<Layer>, Faults> {
    let layer = |flag: &String| match flag.split_once('=') {
        Some((key, value)) => {
            let key = key.trim();
            let steps: Vec<String> = key.split('.').map(str::to_owned).collect();
            let name = if looks_secret(key) { "--set".to_owned() } else { format!("--set {key}") };
            Ok(Layer { metadata: Metadata::named(name), dict: nested(&steps, value) })
        }
        None => Err(ConfigFault {
            place: "--set".to_owned(),
            key: String::new(),
            found: format!("{} without a value", quoted(flag)),
            expected: "KEY=VALUE, such as server.listen=127.0.0.1:9000".to_owned(),
            meant: None,
        }),
    };
    let (layers, faults): (Vec<_>, Vec<_>) = source.set.iter().map(layer).partition(Result::is_ok);
    let faults: Vec<ConfigFault> = faults.into_iter().filter_map(Result::err).collect();
    if faults.is_empty() { Ok(layers.into_iter().filter_map(Result::ok).collect()) } else { Err(Faults(faults)) }
}

/// One value under its keys. Where the key takes text, the text is taken as it stands: a path such as `12345` is no number.
fn nested(steps: &[String], raw: &str) -> Dict {
    let value = match keys::shape_at(steps) {
        Some(shape) if shape.is_text() => Value::from(raw),
        _ => literal(raw),
    };
    let mut steps = steps.iter().rev();
    let innermost = steps.next().cloned().unwrap_or_default();
    steps.fold(Dict::from([(innermost, value)]), |inner, step| Dict::from([(step.clone(), Value::Dict(Tag::Default, inner))]))
}

fn literal(raw: &str) -> Value {
    match DeValue::parse(raw.trim()) {
        Ok(value) => Walk { lines: Lines::new(raw), positions: BTreeMap::new() }.value(value.get_ref(), &KeyPath::default()),
        Err(_) => Value::from(raw),
    }
}

/// The folder that relative paths are taken from: the file's own.
pub(super) fn folder(source: &Source, origins: &Origins) -> PathBuf {
    source.cwd.join(&origins.file).parent().map(Path::to_path_buf).unwrap_or_default()
}
