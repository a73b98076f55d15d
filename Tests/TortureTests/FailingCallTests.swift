import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Every call to the operating system that a program makes fails in turn.
@Suite(.timeLimit(.minutes(10))) struct FailingCallTests {
  /// A kind of call, and how it fails.
  struct Failure: Sendable, CustomTestStringConvertible {
    var kind: FileCall
    var error: Int32
    /// Whether all later calls of the kind fail, too.
    var isLasting = false

    var testDescription: String { "\(kind), error \(error)\(isLasting ? ", lasting" : "")" }

    static let all: [Failure] =
      FileCall.allCases.filter { $0 != .watch }.flatMap {
        [Failure(kind: $0, error: EIO), Failure(kind: $0, error: EIO, isLasting: true)]
      }
      + [
        Failure(kind: .reserve, error: ENOSPC), Failure(kind: .write, error: ENOSPC),
        Failure(kind: .write, error: ENOSPC, isLasting: true), Failure(kind: .open, error: EMFILE),
        Failure(kind: .open, error: EMFILE, isLasting: true),
      ]

    /// Where the program is run: everywhere if there is time. Otherwise each call fails once from every start, and the
    /// other ways to fail and the older formats are tried where they differ most.
    var settings: [Setting] {
      if Rounds.areMany { return Setting.all }
      let rolling = [Setting(.nothing, .synced, rolls: true), Setting(.unclosed, .buffered, rolls: true)]
      if error != EIO {
        return [Setting(.nothing, .synced), Setting(.unclosed, .buffered, canReserve: false), rolling[0]]
      }
      if isLasting { return [Setting(.unclosed, .synced), rolling[1]] }
      let written = kind == .write || kind == .flush
      return FailingStart.allCases.map { Setting($0, .synced) } + [Setting(.unclosed, .buffered)]
        + (written
          ? [Setting(.unclosed, .synced, canReserve: false), Setting(.unclosed, .buffered, on: .xfsSharing)] : [])
        + [Setting(.unclosed, .synced, .bilog), Setting(.withoutCompanion, .buffered, .bilog)]
        + [Setting(.rebooted, .synced, .v1)] + rolling
    }
  }

  /// A fault that nobody may notice.
  enum Nuisance: String, CaseIterable, Sendable {
    case interruption, byteByByte, shortPieces

    var fault: FaultInjector.Fault {
      switch self {
      case .interruption: .error(EINTR)
      case .byteByByte: .short(1)
      case .shortPieces: .short(4099)
      }
    }

    var kinds: [FileCall] { self == .interruption ? FileCall.allCases : [.read, .write] }
    /// Interrupted for ever, a call would be made for ever.
    var isLasting: Bool { self == .shortPieces }
    /// The last call to begin at: from the first on, all pieces of the program are short.
    var last: Int { isLasting ? 1 : 10_000 }

    var settings: [Setting] {
      if Rounds.areMany { return Setting.all.filter { !$0.rolls } }
      // The start that makes each kind of call; the file system on which the most is written.
      return [self == .interruption ? Setting(.nothing, .synced) : Setting(.rebooted, .buffered, canReserve: false)]
    }
  }

  /// What a program is run on.
  struct Setting: Sendable, CustomStringConvertible {
    var start: FailingStart
    var durability: TestedDurability
    var format: LogFormat
    /// Whether the file system can reserve space: where it cannot, commits are written rather than stored.
    var canReserve: Bool
    /// What the files are to be taken to lie on; nil for what they do.
    var fileSystem: FileSystem?
    /// Whether the log begins a segment every few records, and drops its front.
    var rolls: Bool

    init(
      _ start: FailingStart, _ durability: TestedDurability, _ format: LogFormat = .v2, canReserve: Bool = true,
      on fileSystem: FileSystem? = nil, rolls: Bool = false
    ) {
      self.rolls = rolls
      self.start = start
      self.durability = durability
      self.format = format
      self.canReserve = canReserve
      self.fileSystem = fileSystem
    }

    static let all = LogFormat.allCases.flatMap { format in
      [true, false].flatMap { canReserve in
        [TestedDurability.buffered, .synced].flatMap { durability in
          FailingStart.allCases.flatMap { start in
            [false, true].map { Setting(start, durability, format, canReserve: canReserve, rolls: $0) }
          }
        }
      }
    }

    var description: String {
      "\(format), \(durability), start: \(start)\(canReserve ? "" : ", nothing can be reserved")\(rolls ? ", rolling" : "")"
        + (fileSystem.map { ", on \($0)" } ?? "")
    }

    /// The log's file in a directory.
    func log(in directory: String) -> String { format.testFiles(of: "events", in: directory).log }
  }

  @Test(arguments: Failure.all)
  func aFailedCallLosesNothingAcknowledged(_ failure: Failure) async throws {
    let fault = FaultInjector.Fault.error(failure.error)
    try await Self.each(fault, failure.kind, isLasting: failure.isLasting, failure.settings) {
      setting, directory, injector in
      var program = try await FailingProgram(setting, in: directory, injector, error: failure.error)
      try await injector.run { try await program.run() }
      try await program.check()
    }
  }

  @Test func whereThereIsNoRoomNothingChangesUntilThereIs() async throws {
    let settings = Setting.all.filter {
      $0.canReserve && !$0.rolls
        && (Rounds.areMany || ($0.durability == .synced && ($0.format == .v2 || $0.start == .unclosed)))
    }
    var failures = 0
    try await Self.each(.error(ENOSPC), .reserve, isLasting: true, settings) { setting, directory, injector in
      var program = try await FailingProgram(setting, in: directory, injector, error: ENOSPC, retries: true)
      try await injector.run { try await program.run() }
      try await program.check()
      failures += program.failures.count
    }
    #expect(failures > 10, "a full disk was noticed \(failures) times only")
  }

  /// Some file systems have no mappings, or none that can be stored into.
  @Test(arguments: [ENODEV, EINVAL, EACCES])
  func whereFilesCannotBeMappedTheyAreWrittenAndReadByCalls(_ error: Int32) async throws {
    let settings = [
      Setting(.nothing, .buffered), Setting(.nothing, .synced), Setting(.unclosed, .buffered, .bilog),
    ]
    for isLasting in [true, false] {
      try await Self.invisible(.error(error), .map, isLasting: isLasting, settings)
    }
  }

  @Test(arguments: FileSystem.allCases)
  func onEachFileSystemTheSameIsWritten(_ fileSystem: FileSystem) async throws {
    for format in LogFormat.allCases {
      for durability in [TestedDurability.buffered, .synced] {
        let setting = Setting(.unclosed, durability, format)
        // No call of this kind is made, so none fails.
        try await Self.invisible(.error(EIO), .rename, isLasting: true, through: 1, [setting], on: fileSystem)
      }
    }
  }

  @Test(arguments: Nuisance.allCases)
  func interruptionsAndShortCallsAreInvisible(_ nuisance: Nuisance) async throws {
    for kind in nuisance.kinds {
      try await Self.invisible(
        nuisance.fault, kind, isLasting: nuisance.isLasting, through: nuisance.last, nuisance.settings)
    }
  }

  // MARK: Whether these tests find something

  @Test func everyKindOfCallIsMade() async throws {
    var counts: [FileCall: Int] = [:]
    for start in FailingStart.allCases {
      let root = TemporaryDirectory(inMemory: true)
      let injector = FaultInjector(directory: root.path, overwritesInPlace: true)
      var program = try await FailingProgram(Setting(start, .synced), in: root.file("logs"), injector, error: nil)
      try await injector.run { try await program.run() }
      counts.merge(injector.counts, uniquingKeysWith: +)
    }
    print("calls of the program that fails: \(counts.map { "\($0.key) \($0.value)" }.sorted())")
    for kind in FileCall.allCases where kind != .watch { #expect(counts[kind, default: 0] > 0, "\(kind)") }
  }

  @Test func aMissingRecordIsFound() async throws {
    try await mustBeFound(within: 1, "an acknowledged record that is missing") { _ in
      let root = TemporaryDirectory(inMemory: true)
      let injector = FaultInjector(directory: root.path, overwritesInPlace: true)
      var program = try await FailingProgram(
        Setting(.nothing, .buffered), in: root.file("logs"), injector, error: nil)
      try await program.run()
      let model = program.model
      try model.succeeded(model.begins([Content(identity: 99, size: 99)]), first: model.count)
      try await program.check()
    }
  }

  @Test func aRecordThatNobodyKnowsOfIsFound() async throws {
    try await mustBeFound(within: 1, "a record that was never appended") { _ in
      let root = TemporaryDirectory(inMemory: true)
      let injector = FaultInjector(directory: root.path, overwritesInPlace: true)
      var program = try await FailingProgram(
        Setting(.nothing, .buffered), in: root.file("logs"), injector, error: nil)
      try await program.run()
      let storage = try Storage(directory: root.file("logs"), namespaces: ["events"])
      try await storage.append("stowaway", to: "events")
      storage.close()
      try await program.check()
    }
  }

  @Test func anErrorThatWasNotInjectedIsFound() async throws {
    try await mustBeFound(within: 1, "an error of another number") { _ in
      try await Self.each(.error(EIO), .truncate, isLasting: false, [Setting(.nothing, .buffered)]) {
        setting, directory, injector in
        var program = try await FailingProgram(setting, in: directory, injector, error: ENOSPC)
        try await injector.run { try await program.run() }
      }
    }
  }

  @Test func aFailureIsNotInvisible() async throws {
    try await mustBeFound(within: 1, "a reservation that fails") { _ in
      try await Self.invisible(.error(EIO), .reserve, isLasting: true, [Setting(.nothing, .buffered)])
    }
  }

  // MARK: Underneath

  /// Runs the program with a fault that nobody may notice: no call throws, and the log's bytes are those of a run
  /// without.
  private static func invisible(
    _ fault: FaultInjector.Fault, _ kind: FileCall, isLasting: Bool, through last: Int = 10_000, _ settings: [Setting],
    on fileSystem: FileSystem? = nil
  ) async throws {
    for var setting in settings {
      let root = TemporaryDirectory(inMemory: true)
      let log = setting.log(in: root.file("logs"))
      var program = try await FailingProgram(
        setting, in: root.file("logs"), FaultInjector(directory: root.path, overwritesInPlace: true), error: nil)
      try await program.run()
      let expected = try FileBytes.read(log)
      setting.fileSystem = fileSystem
      try await each(fault, kind, isLasting: isLasting, through: last, [setting]) { setting, directory, injector in
        var program = try await FailingProgram(setting, in: directory, injector, error: nil)
        try await injector.run { try await program.run() }
        guard try FileBytes.read(setting.log(in: directory)) == expected else {
          throw Finding("the log's bytes are not those of a run without faults")
        }
        try await program.check()
      }
    }
  }

  /// Calls `body` again and again, with the fault at the first call of the kind, the second, and so on, until there are
  /// no more calls.
  private static func each(
    _ fault: FaultInjector.Fault, _ kind: FileCall, isLasting: Bool, through last: Int = 10_000, _ settings: [Setting],
    _ body: (_ setting: Setting, _ directory: String, _ injector: FaultInjector) async throws -> Void
  ) async throws {
    var findings = DistinctFindings()
    for setting in settings {
      for number in 1...last {
        let root = TemporaryDirectory(inMemory: true)
        let injector = FaultInjector(
          directory: root.path, fault, of: kind, at: number, lasting: isLasting,
          overwritesInPlace: true)
        let place = "\(fault) at \(kind) \(number)\(isLasting ? " and after" : ""), \(setting)"
        let watchdog = Watchdog(.seconds(120), "the program hangs with \(place)")
        defer { watchdog.stop() }
        do {
          if let fileSystem = setting.fileSystem {
            try await SystemCalls.withHook(Pretence(fileSystem, of: root.path)) {
              try await body(setting, root.file("logs"), injector)
            }
          } else if setting.canReserve {
            try await body(setting, root.file("logs"), injector)
          } else {
            try await FaultInjector(directory: root.path, .error(EOPNOTSUPP), of: .reserve, lasting: true).run {
              try await body(setting, root.file("logs"), injector)
            }
          }
        } catch {
          findings.add("\(error)\nwith \(place)")
        }
        if injector.injected == 0 { break }
      }
    }
    try findings.throwIfAny()
  }
}

/// Has the files of a directory taken for files on another file system.
private final class Pretence: SystemCallHook {
  private let fileSystem: FileSystem
  private let directory: String

  init(_ fileSystem: FileSystem, of directory: String) {
    self.fileSystem = fileSystem
    self.directory = directory
  }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome { .proceed }
  func didCall(_ call: SystemCall, path: String) {}
  func fileSystem(path: String) -> FileSystem? { path.hasPrefix(directory) ? fileSystem : nil }
}
