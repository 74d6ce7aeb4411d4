//! What a directory sends to clients.

use super::message::messages;
use super::*;

messages! {
    /// A message from a directory to a client.
    pub enum ServerMessage<'a> {
        /// Login failed; the connection closes.
        0 => Error(text: Text<'a>),
        /// Login done.
        3 => LoginAck(ack: LoginAck<'a>),
        /// Run a program: never sent, never obeyed.
        5 => AutoUpgrade(text: Text<'a>),
        /// The nick asked for is free.
        8 => NickFree,
        /// The nick asked for is taken.
        9 => NickTaken,
        /// The nick is not allowed.
        10 => NickInvalid(text: Text<'a>),
        /// That is the password.
        12 => PasswordRight,
        /// An unknown command before login, echoed by old servers.
        13 => Echo(text: Text<'a>),
        /// All files are taken back; how many there were (G).
        110 => UnsharedAll(text: Text<'a>),
        /// A search hit.
        201 => Hit(hit: Hit<'a>),
        /// The search is over.
        202 => SearchEnd,
        /// The file can be had there.
        204 => DownloadReady(contact: Contact<'a>),
        /// Somebody says something.
        205 => PrivateMessage(message: NickText<'a>),
        /// The user is gone or does not share the file.
        206 => NotAvailable(file: NickFile<'a>),
        /// A watched user is there.
        209 => UserCame(user: NickSpeed<'a>),
        /// A watched user has left; or (before 213) the user to be browsed is not there.
        210 => UserLeft(nick: Nick<'a>),
        /// A file of a user.
        212 => BrowseItem(item: BrowseItem<'a>),
        /// The list of a user is over.
        213 => BrowseEnd(end: BrowseEnd<'a>),
        /// Totals.
        214 => Stats(stats: Stats),
        /// Somebody has that content.
        216 => ResumeHit(hit: ResumeHit<'a>),
        /// The search by md5 is over.
        217 => ResumeEnd,
        /// The user is watched.
        301 => WatchingUser(nick: Nick<'a>),
        /// The user cannot be watched.
        302 => NotWatchingUser(nick: Nick<'a>),
        /// We are about to be disconnected.
        316 => Disconnecting(text: Text<'a>),
        /// The list of ignored users is over.
        320 => IgnoredEnd(text: Text<'a>),
        /// One of the ignored users.
        321 => Ignored(nick: Nick<'a>),
        /// The user is ignored from now on.
        322 => Ignoring(nick: Nick<'a>),
        /// The user is no longer ignored.
        323 => Unignored(nick: Nick<'a>),
        /// The user was not ignored.
        324 => NotIgnored(nick: Nick<'a>),
        /// The user was ignored already.
        325 => AlreadyIgnored(nick: Nick<'a>),
        /// Nobody is ignored any more.
        326 => IgnoredCleared(text: Text<'a>),
        /// You have left a channel.
        401 => Parted(channel: Nick<'a>),
        /// Somebody says something in a channel.
        403 => Said(said: Said<'a>),
        /// A notice or an error.
        404 => Notice(text: Text<'a>),
        /// You have joined a channel.
        405 => JoinedChannel(channel: Nick<'a>),
        /// A user joins a channel.
        406 => MemberJoined(member: Member<'a>),
        /// A user leaves a channel.
        407 => MemberParted(member: Member<'a>),
        /// A user is in a channel.
        408 => Member(member: Member<'a>),
        /// The members of a channel are told.
        409 => MembersEnd(channel: Nick<'a>),
        /// The topic of a channel.
        410 => Topic(say: Say<'a>),
        /// Call that downloader.
        501 => PushOrder(contact: Contact<'a>),
        /// The speed of a user's line.
        601 => UserSpeed(user: NickSpeed<'a>),
        /// What is known of a user.
        604 => Whois(whois: Whois<'a>),
        /// What is known of a user who is not there.
        605 => Whowas(whowas: Whowas<'a>),
        /// Somebody wants a file of ours.
        607 => UploadRequest(request: UploadRequest<'a>),
        /// The upload was refused.
        609 => UploadRefused(file: NickFile<'a>),
        /// An administrator asks us to change our data port.
        613 => ChangePort(port: Number),
        /// The short list of channels is over.
        617 => ChannelsEnd,
        /// A channel.
        618 => Channel(channel: ChannelEntry<'a>),
        /// Not now.
        620 => QueueLimit(limit: QueueLimit<'a>),
        /// A line of the message of the day.
        621 => Motd(text: Text<'a>),
        /// That user cannot reach our data port.
        626 => DataPortError(nick: Nick<'a>),
        /// A moderator to the operators.
        627 => OperatorMessage(message: NickText<'a>),
        /// A moderator to everybody.
        628 => Announcement(message: NickText<'a>),
        /// Somebody wants our list directly.
        640 => DirectBrowseOrder(order: DirectBrowseOrder<'a>),
        /// Where a list can be had directly.
        641 => DirectBrowseReady(ready: DirectBrowseReady<'a>),
        /// There will be no direct browse.
        642 => DirectBrowseError(error: DirectBrowseError<'a>),
        /// Our nick logged in elsewhere.
        748 => Ghost,
        /// The server is there.
        750 => ServerPong(args: Text<'a>),
        /// Somebody asks whether we are there.
        751 => Ping(ping: Ping<'a>),
        /// Somebody is there.
        752 => Pong(ping: Ping<'a>),
        /// Another server to go to.
        821 => Redirect(redirect: Redirect<'a>),
        /// A list of servers to ask.
        822 => Metaserver(host: Text<'a>),
        /// An emote in a channel.
        824 => Emoted(said: Said<'a>),
        /// A user is in the channel that was asked about.
        825 => ListedMember(member: Member<'a>),
        /// The full list of channels is over.
        827 => ChannelsFullEnd,
        /// A channel with all details.
        828 => ChannelDetails(channel: ChannelDetails<'a>),
        /// All members of the channel that was asked about are told.
        830 => ListedMembersEnd,
        /// A link of the server, or the end of the list.
        10112 => LinkEntry(text: Text<'a>),
        /// Usage numbers.
        10115 => Usage(text: Text<'a>),
        /// The list by directory is over.
        10301 => BrowseGroupedEnd(nick: Nick<'a>),
        /// Files of one directory of a user.
        10302 => BrowseDirectory(directory: BrowseDirectory<'a>),
    }
}
