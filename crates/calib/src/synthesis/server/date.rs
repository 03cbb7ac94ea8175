//! How long a server asks to wait (RFC 9110, sections 5.6.7 and 10.2.3).

use std::time::Duration;

/// The wait that `retry_after` asks for: seconds, or a date, counted from `now`, the date of the answer
/// itself. No clock of ours is asked.
pub(super) fn wait(retry_after: &str, now: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = retry_after.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (seconds(retry_after)?, seconds(now?)?);
    Some(Duration::from_secs(u64::try_from(until - now).unwrap_or(0)))
}

/// Seconds from the year 0 to a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = date.split_once(", ")?;
    let words: Vec<&str> = date.split(' ').collect();
    let [day, month, year, time, "GMT"] = words[..] else { return None };
    let place = MONTHS.find(month).filter(|place| month.len() == 3 && place % 3 == 0)?;
    let clock: Vec<u8> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hour, minute, second] = clock[..] else { return None };
    let [day, hour, minute, second] = [day.parse().ok()?, hour, minute, second].map(i64::from);
    let year = year.parse().ok().filter(|year| (0..10_000).contains(year))?;
    let days = days_before_month(year, place as i64 / 3) + day;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days from the year 0 to the first of a month, counted from 0; years begin in March, so that a leap
/// day is the last one.
fn days_before_month(year: i64, month: i64) -> i64 {
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_say_how_long() {
        let of = |after: &str, now: &str| wait(after, Some(now)).map(|wait| wait.as_secs());
        let now = "Wed, 28 Feb 2024 23:59:50 GMT";
        assert_eq!(wait("7", None), Some(Duration::from_secs(7)));
        assert_eq!(of("Thu, 29 Feb 2024 00:00:05 GMT", now), Some(15));
        assert_eq!(of("Fri, 01 Mar 2024 00:00:00 GMT", now), Some(10 + 24 * 3600));
        assert_eq!(of("Wed, 28 Feb 2024 23:00:00 GMT", now), Some(0), "in the past");
        assert_eq!(of("Wed, 01 Jan 2025 00:00:00 GMT", "Tue, 31 Dec 2024 23:59:59 GMT"), Some(1));
        let year = of("Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 06 Nov 1993 08:49:37 GMT");
        assert_eq!(year, Some(365 * 24 * 3600));
        for strange in ["", "-1", "soon", "Fri, 01 XXX 2024 00:00:00 GMT", "1.5", "a, b c d e GMT"]
        {
            assert_eq!(wait(strange, Some(now)), None, "{strange}");
        }
    }
}
