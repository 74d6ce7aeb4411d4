//! Users of a file-sharing network of 2001: who shares what, and what is searched for; the same for a seed.
//!
//! A catalogue of artists and songs is named by words of Zipf's distribution; users like some artists and have songs
//! of them, the more popular the likelier, under names in one of the usual styles, in a few folders. No dependency
//! and no crate of throng, as programs are judged by what this makes.

/// A file as its user would share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Folder, with a separator at its end.
    pub folder: String,
    /// Name within it.
    pub base: String,
    /// Bytes.
    pub size: u32,
    /// kbit/s.
    pub bitrate: u32,
    /// Hz.
    pub frequency: u32,
    /// Seconds.
    pub duration: u32,
    /// 32 hexadecimal digits, the same for the same recording.
    pub md5: String,
}

/// The music there is.
pub struct Catalogue {
    words: Vec<String>,
    word_ranks: Zipf,
    artists: Zipf,
    songs_an_artist: Zipf,
    seed: u64,
}

/// A song of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Song {
    artist: u32,
    number: u32,
}

impl Catalogue {
    /// A catalogue with that many artists; names come from `words` different words.
    pub fn new(artists: u32, words: u32, seed: u64) -> Catalogue {
        let mut rng = Rng(seed);
        Catalogue {
            words: (0..words).map(|rank| word(rank, &mut rng)).collect(),
            word_ranks: Zipf::new(words, 1.0),
            artists: Zipf::new(artists, 0.85),
            songs_an_artist: Zipf::new(120, 0.7),
            seed,
        }
    }

    /// A song, popular ones likelier.
    pub fn song(&self, rng: &mut Rng) -> Song {
        Song { artist: self.artists.draw(rng), number: self.songs_an_artist.draw(rng) }
    }

    /// The artist's name: one to three words.
    pub fn artist(&self, song: Song) -> Vec<&str> {
        let mut rng = Rng(mix(self.seed ^ 0xa57, song.artist.into()));
        let count = 1 + rng.below(3);
        self.draw(count, &mut rng)
    }

    /// The song's title: one to five words.
    pub fn title(&self, song: Song) -> Vec<&str> {
        let mut rng = Rng(mix(self.seed ^ 0x717, u64::from(song.artist) << 32 | u64::from(song.number)));
        let count = 1 + rng.below(3) + rng.below(3);
        self.draw(count, &mut rng)
    }

    fn draw(&self, count: u32, rng: &mut Rng) -> Vec<&str> {
        (0..count).map(|_| self.words[self.word_ranks.draw(rng) as usize].as_str()).collect()
    }

    /// The files of a user, sorted as a folder is read.
    pub fn user(&self, number: u32, files: u32) -> Vec<Shared> {
        let mut rng = Rng(mix(self.seed ^ 0x05e4, number.into()));
        let root = root(number, &mut rng);
        let (by_artist, style) = (rng.below(3) == 0, rng.below(4));
        let favourites: Vec<Song> = (0..1 + files / 12).map(|_| self.song(&mut rng)).collect();
        let mut shared = Vec::with_capacity(files as usize);
        let mut seen = std::collections::BTreeSet::new();
        while shared.len() < files as usize {
            let song = match rng.below(4) {
                0 => self.song(&mut rng),
                _ => {
                    let artist = favourites[rng.below(favourites.len() as u32) as usize].artist;
                    Song { artist, number: self.songs_an_artist.draw(&mut rng) }
                }
            };
            let file = self.file(song, &root, (by_artist, style), &mut rng);
            if seen.insert((file.folder.clone(), file.base.to_ascii_lowercase())) {
                shared.push(file);
            }
        }
        shared.sort_by(|a, b| (&a.folder, &a.base).cmp(&(&b.folder, &b.base)));
        shared
    }

    fn file(&self, song: Song, root: &str, (by_artist, style): (bool, u32), rng: &mut Rng) -> Shared {
        let (artist, title) = (capitals(&self.artist(song)), capitals(&self.title(song)));
        let style = if rng.below(5) == 0 { rng.below(5) } else { style };
        let base = match style {
            0 => format!("{artist} - {title}.mp3"),
            1 => format!("{artist} - {title}.MP3"),
            2 => format!("{}-{}.mp3", artist.replace(' ', "_"), title.replace(' ', "_")).to_lowercase(),
            3 => format!("{artist} - {:02} - {title}.mp3", 1 + song.number % 16),
            _ => format!("{title} ({artist}) [{}].mp3", rng.below(10_000)),
        };
        let folder = if by_artist { format!("{root}{artist}\\") } else { root.to_owned() };
        // A few recordings of each song are about.
        let recording = rng.below(3) * rng.below(3);
        let mut of =
            Rng(mix(mix(self.seed, u64::from(song.artist) << 32 | u64::from(song.number)), recording.into()));
        let duration = 90 + of.below(300);
        let bitrate = [128, 128, 128, 128, 128, 160, 192, 256, 112, 320][of.below(10) as usize];
        let frequency = if of.below(20) == 0 { 48_000 } else { 44_100 };
        let md5 = format!("{:016x}{:016x}", of.draw(), of.draw());
        Shared {
            folder,
            base,
            size: duration * bitrate * 125 + of.below(4_096),
            bitrate,
            frequency,
            duration,
            md5,
        }
    }

    /// What somebody searches for: mostly words of a song, sometimes one word, sometimes what nobody has.
    pub fn query(&self, rng: &mut Rng) -> String {
        let song = self.song(rng);
        match rng.below(10) {
            0 => self.draw(1, rng).join(" "),
            1 => self.draw(2, rng).join(" "),
            2 => format!("{} nobodyhasthis", self.draw(1, rng).join(" ")),
            3..6 => self.artist(song).join(" "),
            _ => format!("{} {}", self.artist(song).join(" "), self.title(song)[0]),
        }
    }
}

fn root(number: u32, rng: &mut Rng) -> String {
    match rng.below(6) {
        0 | 1 => r"C:\Program Files\Napster\Music\".into(),
        2 => r"C:\My Documents\My Music\".into(),
        3 => r"D:\mp3\".into(),
        4 => format!(r"C:\WINDOWS\Desktop\user{number}\tunes\"),
        _ => format!(r"\home\user{number}\mp3\"),
    }
}

fn capitals(words: &[&str]) -> String {
    let capital = |word: &&str| word[..1].to_ascii_uppercase() + &word[1..];
    words.iter().map(capital).collect::<Vec<_>>().join(" ")
}

/// A word that can be spoken; frequent ones are short.
fn word(rank: u32, rng: &mut Rng) -> String {
    const ONSETS: [&str; 20] = [
        "b", "br", "c", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr",
        "v",
    ];
    const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ea", "oo", "ai"];
    const CODAS: [&str; 12] = ["", "", "", "n", "r", "s", "l", "t", "nd", "ck", "ng", "st"];
    let syllables = match rank {
        0..200 => 1,
        200..20_000 => 1 + rng.below(2),
        _ => 2 + rng.below(2),
    };
    let mut word = String::new();
    for _ in 0..syllables {
        word += ONSETS[rng.below(20) as usize];
        word += VOWELS[rng.below(8) as usize];
        word += CODAS[rng.below(12) as usize];
    }
    word
}

/// Ranks with P(rank) proportional to 1 / (rank + 1)^s.
pub struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    /// Over `count` ranks.
    pub fn new(count: u32, s: f64) -> Zipf {
        let mut sum = 0.0;
        let add = |rank: u32| {
            sum += f64::from(rank + 1).powf(-s);
            sum
        };
        Zipf { cumulative: (0..count).map(add).collect() }
    }

    /// A rank, from zero.
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let point = (rng.draw() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        self.cumulative.partition_point(|sum| *sum <= point) as u32
    }
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(bound) * (self.draw() >> 32)) >> 32) as u32
    }
}

fn mix(a: u64, b: u64) -> u64 {
    Rng(a ^ Rng(b).draw()).draw()
}
