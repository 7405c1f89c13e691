//! Dumps: those of the real instance, and of the smallest Mastodon that there is.

use std::path::{Path, PathBuf};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../verify/tests/fixture").join(name)
}

/// Posts of the smallest Mastodon.
pub(crate) const SMALL_POSTS: u64 = 3;

/// The text of a dump of the smallest Mastodon.
pub(crate) fn small(posts: u64) -> String {
    let plain = [
        "favourites",
        "mentions",
        "custom_emojis",
        "settings",
        "site_uploads",
        "oauth_applications",
        "oauth_access_tokens",
        "ar_internal_metadata",
    ];
    let plain = plain.map(|name| format!("CREATE TABLE public.{name} (id bigint PRIMARY KEY);\n")).concat();
    let times = "created_at timestamp DEFAULT '2026-11-26 01:00:00'";
    let rows: Vec<String> = (1..=posts).map(|n| format!("{}\thttps://mast.test/{n}\tt\n", n << 20)).collect();
    let rows = rows.concat();
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET client_encoding = 'UTF8';\n\
         CREATE FUNCTION public.timestamp_id(t text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';\n{plain}\
         CREATE TABLE public.accounts (id bigint PRIMARY KEY, domain text, {times});\n\
         CREATE TABLE public.users (id bigint PRIMARY KEY, otp_secret text, {times});\n\
         CREATE TABLE public.follows (id bigint PRIMARY KEY, {times});\n\
         CREATE TABLE public.media_attachments (id bigint PRIMARY KEY, remote_url text DEFAULT '', {times});\n\
         CREATE TABLE public.schema_migrations (version text PRIMARY KEY);\n\
         CREATE TABLE public.statuses (id bigint PRIMARY KEY, uri text, local boolean, {times});\n\
         COPY public.accounts (id, domain) FROM stdin;\n1\t\\N\n\\.\n\n\
         COPY public.users (id) FROM stdin;\n1\n\\.\n\n\
         COPY public.schema_migrations (version) FROM stdin;\n20260611150940\n\\.\n\n\
         COPY public.statuses (id, uri, local) FROM stdin;\n{rows}\\.\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
    )
}
