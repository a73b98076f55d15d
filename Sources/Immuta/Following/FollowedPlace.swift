/// A followed log as its group's thread sees it: when it looks at the log, and what it waits for in between.
struct FollowedPlace {
  private let ticket: FollowTicket
  private var follower: any FollowedLog { ticket.follower }
  private var pace = FollowPace()
  private var words = FileWords()
  /// Where `word` is.
  private var source: (file: Descriptor, offset: Int)?
  /// The word to wait for; nil if there is none.
  private(set) var word: FileWord?
  /// When to look in any case, by ``SystemCalls/steadyUptime()``.
  private(set) var deadline = Int64.min
  private var waitsSince: Int64
  /// What reported that there may be news.
  private var herald = FollowPace.Herald.nobody
  private var progress: FollowProgress
  /// The files that ``FileEvents`` were asked to watch last.
  private var watched: FollowedFiles?
  /// Where watching failed: when to try again.
  private var watchesFrom = Int64.min

  /// How long nobody must wait before the log is not watched any more.
  private static var farewell: Int64 { 10_000_000 }
  private static var secondTry: Int64 { 10_000_000_000 }
  /// Sleeping followers look again together, so that many cause no more wake-ups than one.
  private static var sleep: Int64 { 60_000_000_000 }
  private static var shortestSleep: Int64 { 30_000_000_000 }

  init(_ ticket: FollowTicket) {
    self.ticket = ticket
    progress = ticket.follower.progress
    waitsSince = Clocks.steadyUptime()
  }

  // MARK: What the wait came to

  /// Somebody woke the word.
  mutating func wasWoken() {
    herald = .writer
  }

  /// One of the words had changed before the wait began.
  mutating func noticeAnotherValue() {
    guard let source, let word else { return }
    if (try? FollowedFiles.value(of: source)) != word.value { herald = .writer }
  }

  /// The kernel cannot read one of the words.
  mutating func losesWord() {
    word = nil
    ticket.noteSleep(false)
    deadline = min(deadline, waitsSince + Self.farewell)
  }

  // MARK: Looking

  /// Looks at the log, if it is time; false when it is not watched any more.
  mutating func goesOn(at now: Int64) -> Bool {
    let isChanged = ticket.takeChange()
    let isPrompted = ticket.takePrompt()
    if isChanged, herald == .nobody { herald = .kernel }
    guard herald != .nobody || isPrompted || now >= deadline else { return true }
    ticket.noteSleep(false)
    switch follower.attention {
    case .closed: return leaves()
    case .busy:
      (word, deadline) = (nil, now + FollowPace.longestGlance)
      return true
    case .nobody:
      if pace.quiet >= Self.farewell, follower.letGo(ticket) { return leaves() }
      pace.foundNothing(waited: now - waitsSince, canBeWoken: true)
      takeWord(follower.files)
      (deadline, herald, waitsSince) = (now + Self.farewell, .nobody, now)
      return true
    case .streams(let areForStable):
      look(at: now, isChanged, areForStable)
      return true
    }
  }

  private mutating func leaves() -> Bool {
    FileEvents.shared.forget(ticket)
    return false
  }

  private mutating func look(at now: Int64, _ isChanged: Bool, _ isForStable: Bool) {
    let files = follower.files
    let waited = now - waitsSince
    // In this order: watch, read the word, look. Later changes are reported.
    takeWord(files)
    let canBeWoken = canBeWoken(files)
    let isSleepy = isSleepy(waited, canBeWoken)
    let isWatched = isSleepy && watches(files, at: now)
    if isWatched { takeWord(files) }
    let look = follower.look(looksAgain: isChanged || isSleepy, isForStable)
    let found = follower.progress
    if found != progress {
      progress = found
      pace.foundNews(waited: waited, from: herald)
    } else if look != .asKnown {
      pace.foundTrouble()
    } else {
      if herald == .kernel { pace.wasStirred() }
      pace.foundNothing(waited: waited, canBeWoken: canBeWoken)
    }
    if look == .changed { ticket.changeFiles() }
    // The next record's word is another one where the log has no COUNT.
    if found.files !== files || !files.format.hasCount { takeWord(found.files) }
    waitsSince = Clocks.steadyUptime()
    herald = .nobody
    switch pace.next(canBeWoken: canBeWoken && look == .asKnown) {
    // Long pauses that nobody ends are taken together, too.
    case .pause(let pause) where pause == FollowPace.longestGlance || pause == FollowPace.longestIdleGlance:
      deadline = (waitsSince + pause / 2) / pause * pause + pause
    case .pause(let pause): deadline = waitsSince + pause
    case .sleep where isWatched && found.files === files && self.canBeWoken(files):
      deadline = (waitsSince + Self.shortestSleep + Self.sleep) / Self.sleep * Self.sleep
      ticket.noteSleep(true)
    case .sleep: deadline = waitsSince + FollowPace.longestGlance
    }
  }

  /// What the pace will say if there is nothing new.
  private func isSleepy(_ waited: Int64, _ canBeWoken: Bool) -> Bool {
    var pace = pace
    pace.foundNothing(waited: waited, canBeWoken: canBeWoken)
    return pace.next(canBeWoken: canBeWoken) == .sleep
  }

  /// Whether there is a way to hear of commits and of changed files.
  private func canBeWoken(_ files: FollowedFiles) -> Bool {
    guard FileWaiting.waitsForWords, files.reportsChanges else { return false }
    // Without a word to wait for, the first write of a new writer is reported.
    return word != nil || !((try? files.isBeingWritten(files.companionNow())) ?? true)
  }

  private mutating func watches(_ files: FollowedFiles, at now: Int64) -> Bool {
    guard now >= watchesFrom else { return false }
    if watched !== files {
      FileEvents.shared.forget(ticket)
      watched = files
    }
    let places = FileEvents.Places(
      directory: files.files.directory, files: [files.log] + [files.companion].compactMap { $0 },
      names: [files.files.log, files.files.companion, files.files.segmentsFolder])
    if FileEvents.shared.watch(places, for: ticket) { return true }
    watchesFrom = now + Self.secondTry
    return false
  }

  /// Reads the word to wait for, as it is before the log is looked at.
  private mutating func takeWord(_ files: FollowedFiles) {
    word = nil
    source = files.word
    guard let source, let value = try? FollowedFiles.value(of: source) else { return }
    // An entry that is not the last of its commit: later commits do not change its word any more.
    if !files.format.hasCount, value != 0 { return }
    word = words.word(at: source.offset, of: source.file, value: value)
  }
}
