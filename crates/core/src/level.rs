//! Membership levels: which points give which level and which multiplier. Levels are data.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::discount::Discount;

/// One level and the points that give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its number, from 0.
    pub level: u16,
    /// What members see.
    pub name: Cow<'static, str>,
    /// The fewest points of this level.
    pub points_min: u64,
    /// The most points of this level; only the last level has no end.
    pub points_max: Option<u64>,
    /// The multiplier of this level.
    pub discount: Discount,
}

/// All levels: they begin at 0 points and leave no gap and no overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels(Vec<Level>);

/// Where a card stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The level of the points.
    pub level: &'a Level,
    /// The next one up.
    pub next: Option<&'a Level>,
    /// The points still missing for it.
    pub points_to_next: Option<u64>,
}

/// Why a list of levels is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelsError {
    /// There is none.
    Empty,
    /// The numbers are not 0, 1, 2, … in order.
    NotNumbered,
    /// The first does not begin at 0 points, or one begins later than where the one before ends.
    Gap,
    /// One begins before the one before ends, or ends before it begins.
    Overlap,
    /// The last has an end, so that some points have no level.
    LastHasEnd,
}

impl fmt::Display for LevelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "LEVELS_EMPTY",
            Self::NotNumbered => "LEVELS_NOT_NUMBERED",
            Self::Gap => "LEVELS_GAP",
            Self::Overlap => "LEVELS_OVERLAP",
            Self::LastHasEnd => "LEVELS_LAST_HAS_END",
        })
    }
}

impl Error for LevelsError {}

impl Levels {
    /// Takes levels in order of their numbers.
    ///
    /// # Errors
    /// [`LevelsError`] when they leave any points without exactly one level.
    pub fn try_new(levels: Vec<Level>) -> Result<Self, LevelsError> {
        let mut begins_at = Some(0);
        for (number, level) in levels.iter().enumerate() {
            if usize::from(level.level) != number {
                return Err(LevelsError::NotNumbered);
            }
            // A level after one without an end overlaps it.
            let expected = begins_at.ok_or(LevelsError::Overlap)?;
            if level.points_min > expected {
                return Err(LevelsError::Gap);
            }
            if level.points_min < expected || level.points_max.is_some_and(|max| max < level.points_min) {
                return Err(LevelsError::Overlap);
            }
            begins_at = level.points_max.and_then(|max| max.checked_add(1));
        }
        match levels.last().map(|last| last.points_max) {
            None => Err(LevelsError::Empty),
            Some(Some(_)) => Err(LevelsError::LastHasEnd),
            Some(None) => Ok(Self(levels)),
        }
    }

    /// The house's default levels.
    pub fn house() -> Self {
        let level = |level, name, points_min, points_max, thousandths| Level {
            level,
            name: Cow::Borrowed(name),
            points_min,
            points_max,
            discount: Discount::from_thousandths(thousandths).unwrap_or(Discount::FULL_PRICE),
        };
        Self(vec![
            level(0, "普通會員", 0, Some(999), 1000),
            level(1, "銀卡會員", 1000, Some(4999), 950),
            level(2, "金卡會員", 5000, Some(9999), 900),
            level(3, "鑽石會員", 10_000, None, 850),
        ])
    }

    /// All of them, from the lowest.
    pub fn as_slice(&self) -> &[Level] {
        &self.0
    }

    /// The one level of these points.
    pub fn level_for(&self, points: u64) -> &Level {
        // The first begins at 0 points, so at least one begins at or before any.
        let above = self.0.partition_point(|level| level.points_min <= points);
        &self.0[above - 1]
    }

    /// The level of these points and the way to the next.
    pub fn standing(&self, points: u64) -> Standing<'_> {
        let level = self.level_for(points);
        let next = self.0.get(usize::from(level.level) + 1);
        Standing { level, next, points_to_next: next.map(|next| next.points_min - points) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[(u64, Option<u64>)]) -> Result<Levels, LevelsError> {
        let level = |(number, (points_min, points_max)): (u16, &(u64, Option<u64>))| Level {
            level: number,
            name: Cow::Borrowed("level"),
            points_min: *points_min,
            points_max: *points_max,
            discount: Discount::FULL_PRICE,
        };
        Levels::try_new((0..).zip(ranges).map(level).collect())
    }

    #[test]
    fn levels_with_a_gap_or_an_overlap_are_refused() {
        assert!(ranges(&[(0, None)]).is_ok() && ranges(&[(0, Some(9)), (10, None)]).is_ok());
        assert_eq!(ranges(&[]), Err(LevelsError::Empty));
        assert_eq!(ranges(&[(1, None)]), Err(LevelsError::Gap));
        assert_eq!(ranges(&[(0, Some(9)), (11, None)]), Err(LevelsError::Gap));
        assert_eq!(ranges(&[(0, Some(9)), (9, None)]), Err(LevelsError::Overlap));
        assert_eq!(ranges(&[(0, None), (10, None)]), Err(LevelsError::Overlap));
        assert_eq!(ranges(&[(0, Some(9)), (10, Some(5)), (6, None)]), Err(LevelsError::Overlap));
        assert_eq!(ranges(&[(0, Some(9))]), Err(LevelsError::LastHasEnd));
        assert_eq!(ranges(&[(0, Some(u64::MAX)), (0, None)]), Err(LevelsError::Overlap));
    }

    #[test]
    fn levels_are_numbered_from_zero() {
        let mut levels = Levels::house().0;
        levels.swap(1, 2);
        assert_eq!(Levels::try_new(levels), Err(LevelsError::NotNumbered));
    }

    #[test]
    fn the_levels_of_the_house_are_refused_by_no_rule() {
        let house = Levels::house();
        assert_eq!(Levels::try_new(house.as_slice().to_vec()), Ok(house));
    }

    #[test]
    fn every_number_of_points_has_the_level_of_the_table() {
        let house = Levels::house();
        for points in 0..=10_500 {
            let expected = match points {
                0..1000 => (0, "1.000"),
                1000..5000 => (1, "0.950"),
                5000..10_000 => (2, "0.900"),
                _ => (3, "0.850"),
            };
            let level = house.level_for(points);
            assert_eq!((level.level, level.discount.to_string().as_str()), expected, "{points}");
        }
        assert_eq!(house.level_for(u64::MAX).level, 3);
    }

    #[test]
    fn the_way_to_the_next_level_is_what_is_missing() {
        let house = Levels::house();
        let to_next = |points| house.standing(points).points_to_next;
        assert_eq!([0, 999, 1000, 9999].map(to_next), [Some(1000), Some(1), Some(4000), Some(1)]);
        assert_eq!(house.standing(10_000).next, None);
        assert_eq!(to_next(10_000), None);
    }
}
