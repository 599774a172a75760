//! One request in words, and the body of its answer.

use std::ops::Deref;

use reqwest::Method;
use serde_json::Value;

use super::ANSWER_CAP;
use crate::domain::event::Operation;

/// One request, in words. A segment of the path is opaque text, whatever it holds.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: Operation,
    pub method: Method,
    pub segments: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    /// At most this many bytes of the answer are read.
    pub cap: usize,
    /// What was read of a larger answer is given; otherwise a larger one is a fault.
    pub may_be_cut: bool,
}

impl Call {
    pub(in crate::provider) fn get(operation: Operation, segments: &[&str]) -> Self {
        let segments = segments.iter().map(|&segment| segment.to_owned()).collect();
        Self { operation, method: Method::GET, segments, query: Vec::new(), body: None, cap: ANSWER_CAP, may_be_cut: false }
    }

    pub(in crate::provider) fn post(operation: Operation, segments: &[&str], body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(operation, segments) }
    }

    pub(in crate::provider) fn patch(operation: Operation, segments: &[&str], body: Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(operation, segments, body) }
    }

    /// A POST that says everything in its address.
    pub(in crate::provider) fn bare_post(operation: Operation, segments: &[&str]) -> Self {
        Self { method: Method::POST, ..Self::get(operation, segments) }
    }

    pub(in crate::provider) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// At most this many bytes of the answer are read, and a larger one is a fault.
    pub(in crate::provider) fn cap(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }

    /// At most this many bytes of the answer are read, and a larger one is given as far as that.
    pub(in crate::provider) fn cut(self, bytes: usize) -> Self {
        Self { may_be_cut: true, ..self.cap(bytes) }
    }
}

/// The bytes of a 2xx's body. Only a call that says so gets one that is cut.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body {
    bytes: Vec<u8>,
    /// There was more.
    pub is_cut: bool,
}

impl Body {
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes, is_cut: false }
    }

    pub fn cut(bytes: Vec<u8>) -> Self {
        Self { bytes, is_cut: true }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Its length alone: a body may hold a credential.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes{}", self.bytes.len(), if self.is_cut { ", cut" } else { "" })
    }
}
