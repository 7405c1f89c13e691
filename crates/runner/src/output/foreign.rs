//! The levels of PostgreSQL in the languages that it speaks: whoever set `lc_messages` reads `FEHLER:  …`.

use super::signs::Sign;

/// PostgreSQL puts this behind its level in every language, and hardly anybody else does.
pub(super) const AFTER_LEVEL: &str = ":  ";

/// German, French, Spanish, Italian, Portuguese, Swedish, Polish, Czech, Turkish, Greek, Russian, Ukrainian, Japanese,
/// Chinese, Korean; where the word is `ERROR` or `FATAL`, it is found as such.
const ERRORS: [&str; 24] = [
    "FEHLER",
    "PANIK",
    "ERREUR",
    "ERRORE",
    "FATALE",
    "ERRO",
    "FEL",
    "BŁĄD",
    "KATASTROFALNY",
    "CHYBA",
    "HATA",
    "ÖLÜMCÜL",
    "ΣΦΑΛΜΑ",
    "ОШИБКА",
    "ВАЖНО",
    "ПАНИКА",
    "ПОМИЛКА",
    "ФАТАЛЬНО",
    "エラー",
    "错误",
    "致命错误",
    "錯誤",
    "오류",
    "치명적오류",
];
const WARNINGS: [&str; 13] = [
    "WARNUNG",
    "ATTENTION",
    "ADVERTENCIA",
    "AVVERTIMENTO",
    "AVISO",
    "VARNING",
    "OSTRZEŻENIE",
    "VAROVÁNÍ",
    "UYARI",
    "ПРЕДУПРЕЖДЕНИЕ",
    "ПОПЕРЕДЖЕННЯ",
    "警告",
    "경고",
];
const NOTICES: [&str; 9] =
    ["HINWEIS", "NOTA", "NOTIFICA", "NOTIS", "UWAGA", "BİLDİRİM", "ЗАМЕЧАНИЕ", "注意", "알림"];

/// `FEHLER:  …`, also behind `psql:x.sql:1: `.
pub(super) fn level(text: &str) -> Option<Sign> {
    let (before, _) = text.split_once(AFTER_LEVEL)?;
    let word = before.rsplit([' ', ':']).next()?;
    [(Sign::Error, &ERRORS[..]), (Sign::Warning, &WARNINGS), (Sign::Fine, &NOTICES)]
        .into_iter()
        .find(|(_, words)| words.contains(&word))
        .map(|(sign, _)| sign)
}

/// Whether a line begins with a level that says error.
pub(crate) fn is_error(text: &str) -> bool {
    text.split_once(AFTER_LEVEL).is_some_and(|(word, _)| ERRORS.contains(&word))
}
