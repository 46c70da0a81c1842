// SPDX-License-Identifier: Apache-2.0
//! What each keyword's values look like when `sshd -T` prints them.

use snapscan_schema::Text;

/// What counts if a keyword is set more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gather {
    /// The first line.
    First,
    /// The last line.
    Last,
    /// Each adds to the others.
    All,
}

/// How a value is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Print {
    /// The words, as they stand.
    Words,
    /// Each word on its own.
    EachWord,
    /// The rest of the line, as it stands.
    Line,
    /// One of some words, in lower case, by the name that is printed for it.
    Choice,
    /// In upper case.
    Upper,
    /// A time, in seconds.
    Seconds,
    /// Bytes, and a time in seconds.
    Rekey,
    /// `start:rate:full`.
    Startups,
    /// Octal digits.
    Octal,
    /// One word is used for both kinds of traffic.
    Twice,
}

/// A keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyword {
    name: Vec<u8>,
    pub(super) gather: Gather,
    print: Print,
}

/// Older names of keywords.
const SYNONYMS: &[(&[u8], &[u8])] = &[
    (b"challengeresponseauthentication", b"kbdinteractiveauthentication"),
    (b"skeyauthentication", b"kbdinteractiveauthentication"),
    (b"dsaauthentication", b"pubkeyauthentication"),
    (b"hostbasedacceptedkeytypes", b"hostbasedacceptedalgorithms"),
    (b"hostdsakey", b"hostkey"),
    (b"keepalive", b"tcpkeepalive"),
    (b"pubkeyacceptedkeytypes", b"pubkeyacceptedalgorithms"),
];

/// Words that are printed as another.
const PRINTED: &[(&[u8], &[u8], &[u8])] = &[
    (b"permitrootlogin", b"prohibit-password", b"without-password"),
    (b"compression", b"delayed", b"yes"),
    (b"allowtcpforwarding", b"all", b"yes"),
    (b"allowstreamlocalforwarding", b"all", b"yes"),
];

impl Keyword {
    /// The keyword of this name, whatever its case; one that is not known has words that are printed as they stand.
    pub(super) fn named(name: &[u8]) -> Self {
        let lower = name.to_ascii_lowercase();
        let synonym = SYNONYMS.iter().find(|(old, _)| *old == lower.as_slice());
        let name = synonym.map_or(lower, |(_, new)| new.to_vec());
        let (gather, print) = match name.as_slice() {
            b"port" | b"listenaddress" | b"hostkey" | b"hostcertificate" | b"subsystem" => {
                (Gather::All, Print::Words)
            }
            b"setenv" => (Gather::First, Print::EachWord),
            b"acceptenv" | b"allowusers" | b"denyusers" | b"allowgroups" | b"denygroups" => {
                (Gather::All, Print::EachWord)
            }
            b"ipqos" => (Gather::Last, Print::Twice),
            b"forcecommand" | b"versionaddendum" | b"authorizedkeyscommand" => (Gather::First, Print::Line),
            b"authorizedprincipalscommand" => (Gather::First, Print::Line),
            b"loglevel" | b"syslogfacility" => (Gather::First, Print::Upper),
            b"logingracetime" | b"clientaliveinterval" => (Gather::First, Print::Seconds),
            b"rekeylimit" => (Gather::First, Print::Rekey),
            b"maxstartups" => (Gather::First, Print::Startups),
            b"streamlocalbindmask" => (Gather::First, Print::Octal),
            _ if CHOICES.contains(&name.as_slice()) => (Gather::First, Print::Choice),
            _ => (Gather::First, Print::Words),
        };
        Keyword { name, gather, print }
    }

    /// The name in lower case.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// True if `sshd -T` prints a line for each value.
    pub(super) fn is_list(&self) -> bool {
        self.gather == Gather::All || self.print == Print::EachWord
    }

    /// The values of one line.
    pub(super) fn values(&self, rest: &[u8], arguments: Vec<Vec<u8>>) -> Vec<Text> {
        let joined = arguments.join(&b' ');
        let one = match self.print {
            Print::EachWord => return arguments.into_iter().map(Text::from).collect(),
            Print::Words => joined,
            Print::Line => rest.to_vec(),
            Print::Choice => self.choice(&joined),
            Print::Upper => joined.to_ascii_uppercase(),
            Print::Seconds => seconds(&joined).map_or(joined, decimal),
            Print::Rekey => rekey(&arguments).unwrap_or(joined),
            Print::Startups => startups(&joined).unwrap_or(joined),
            Print::Octal => octal(&joined).unwrap_or(joined),
            Print::Twice if arguments.len() == 1 => [joined.as_slice(), &joined].join(&b' '),
            Print::Twice => joined,
        };
        vec![one.into()]
    }

    fn choice(&self, word: &[u8]) -> Vec<u8> {
        let lower = word.to_ascii_lowercase();
        let printed = PRINTED.iter().find(|(name, word, _)| *name == self.name.as_slice() && *word == lower);
        printed.map_or(lower, |(_, _, printed)| printed.to_vec())
    }
}

fn decimal(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `90`, `1m30s`, `1w`: seconds.
fn seconds(text: &[u8]) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (value, after) = rest.split_at_checked(digits)?;
        let unit = match after.first() {
            None | Some(b's' | b'S') => 1,
            Some(b'm' | b'M') => 60,
            Some(b'h' | b'H') => 3600,
            Some(b'd' | b'D') => 86_400,
            Some(b'w' | b'W') => 604_800,
            Some(_) => return None,
        };
        total = total.checked_add(number(value)?.checked_mul(unit)?)?;
        rest = after.get(1..).unwrap_or_default();
    }
    (!text.is_empty()).then_some(total)
}

/// `512M 1h`: bytes and seconds.
fn rekey(arguments: &[Vec<u8>]) -> Option<Vec<u8>> {
    let size = arguments.first()?;
    let bytes = match size.split_last()? {
        _ if size.eq_ignore_ascii_case(b"default") => 0,
        (b'k' | b'K', digits) => number(digits)?.checked_mul(1 << 10)?,
        (b'm' | b'M', digits) => number(digits)?.checked_mul(1 << 20)?,
        (b'g' | b'G', digits) => number(digits)?.checked_mul(1 << 30)?,
        _ => number(size)?,
    };
    let time = match arguments.get(1) {
        Some(time) if !time.eq_ignore_ascii_case(b"none") => seconds(time)?,
        _ => 0,
    };
    Some(format!("{bytes} {time}").into_bytes())
}

/// `10` alone means that from ten on all are refused; the rate, then without effect, is the one compiled in.
fn startups(text: &[u8]) -> Option<Vec<u8>> {
    let start = number(text)?;
    Some(format!("{start}:30:{start}").into_bytes())
}

fn octal(text: &[u8]) -> Option<Vec<u8>> {
    let mask = u32::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()?;
    Some(format!("0{mask:o}").into_bytes())
}

/// Keywords whose value is one of some words, whatever its case.
const CHOICES: &[&[u8]] = &[
    b"addressfamily",
    b"allowagentforwarding",
    b"allowstreamlocalforwarding",
    b"allowtcpforwarding",
    b"compression",
    b"disableforwarding",
    b"exposeauthinfo",
    b"gatewayports",
    b"gssapiauthentication",
    b"gssapicleanupcredentials",
    b"gssapikeyexchange",
    b"gssapistorecredentialsonrekey",
    b"gssapistrictacceptorcheck",
    b"hostbasedauthentication",
    b"hostbasedusesnamefrompacketonly",
    b"ignorerhosts",
    b"ignoreuserknownhosts",
    b"kbdinteractiveauthentication",
    b"kerberosauthentication",
    b"kerberosgetafstoken",
    b"kerberosorlocalpasswd",
    b"kerberosticketcleanup",
    b"passwordauthentication",
    b"permitemptypasswords",
    b"permitrootlogin",
    b"permittty",
    b"permituserrc",
    b"printlastlog",
    b"printmotd",
    b"pubkeyauthentication",
    b"streamlocalbindunlink",
    b"strictmodes",
    b"tcpkeepalive",
    b"usedns",
    b"usepam",
    b"x11forwarding",
    b"x11uselocalhost",
];
