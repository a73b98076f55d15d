public import Immuta
import ImmutaLocking

/// The kinds of call to the operating system that Immuta makes, and that a test can make fail.
public enum FileCall: String, Hashable, Sendable, CaseIterable {
  /// Opening or creating a file.
  case open
  /// Reading from a file.
  case read
  /// Writing to a file.
  case write
  /// Reserving space for a file.
  case reserve
  /// Changing a file's length.
  case truncate
  /// Putting a file or a directory on stable storage.
  case flush
  /// Waiting until the device has a file's changed pages.
  case writeBack
  /// Mapping a file as memory.
  case map
  /// Taking a file's lock.
  case lock
  /// Giving a file another name.
  case rename
  /// Removing a file.
  case unlink
  /// Making a directory.
  case makeDirectory
  /// Asking for reports of a file's changes.
  case watch

  package init(_ call: SystemCall) {
    switch call {
    case .open: self = .open
    case .read: self = .read
    case .write: self = .write
    case .reserve: self = .reserve
    case .truncate: self = .truncate
    case .flush: self = .flush
    case .writeBack: self = .writeBack
    case .map: self = .map
    case .lock: self = .lock
    case .rename: self = .rename
    case .unlink: self = .unlink
    case .makeDirectory: self = .makeDirectory
    case .watch: self = .watch
    }
  }
}

/// Makes calls to the operating system fail: the n-th of a kind on the files of a directory, once or from then on.
///
/// ```swift
/// let injector = FaultInjector(directory: path, .error(EIO), of: .flush, at: 3, lasting: true)
/// await injector.run {
///   … every flush from the third on fails …
/// }
/// ```
///
/// Without a fault it only counts, which shows at how many places a call can fail.
public final class FaultInjector: SystemCallHook {
  /// What happens to the call.
  public enum Fault: Hashable, Sendable {
    /// It is not made, and reports this error number. `EINTR` is meant for one call only: interrupted calls are made
    /// again.
    case error(Int32)
    /// It reads or writes at most this many bytes, at least 1.
    case short(Int)
  }

  private let directory: String
  private let fault: Fault?
  private let kind: FileCall?
  private let first: Int
  private let isLasting: Bool
  private let matchesPath: @Sendable (String) -> Bool
  private let overwritesInPlace: Bool?
  private let state = Lock(State())

  private struct State {
    var counts: [FileCall: Int] = [:]
    var injected = 0
    var isOver = false
    var injectedInto: [FileCall] = []
    var statusCounts: [String: Int] = [:]
    var paths: [FileCall: [String: Int]] = [:]
  }

  /// A fault to be.
  ///
  /// - Parameters:
  ///   - directory: calls on it and on the files in it are counted.
  ///   - fault: what happens; nil to count only.
  ///   - kind: the calls that are counted for `first`; nil for all kinds together.
  ///   - first: which of them fails; the first is 1.
  ///   - lasting: whether all that follow fail too.
  ///   - overwritesInPlace: whether the file system is to be taken for one that overwrites blocks where they are, so
  ///     that one flush covers both files of a log; nil for what it is.
  ///   - path: whether a path is meant; all by default.
  public init(
    directory: String, _ fault: Fault? = nil, of kind: FileCall? = nil, at first: Int = 1, lasting: Bool = false,
    overwritesInPlace: Bool? = nil, where path: @escaping @Sendable (String) -> Bool = { _ in true }
  ) {
    self.overwritesInPlace = overwritesInPlace
    self.directory = directory
    self.fault = fault
    self.kind = kind
    self.first = first
    isLasting = lasting
    matchesPath = path
  }

  /// Calls made so far, by kind, including failed ones.
  public var counts: [FileCall: Int] { state.withLock { $0.counts } }

  /// Calls of a kind so far on the file of a name.
  public func count(_ call: FileCall, of name: String) -> Int {
    state.withLock { $0.paths[call]?["\(directory)/\(name)"] ?? 0 }
  }

  /// How often the system was asked so far for the size and the like of the file of a name. Such calls are not made to
  /// fail.
  public func statusCount(of name: String) -> Int {
    state.withLock { $0.statusCounts["\(directory)/\(name)"] ?? 0 }
  }

  /// Calls that were made to fail so far.
  public var injected: Int { state.withLock { $0.injected } }

  /// The kinds of call that were made to fail, in order.
  public var injectedInto: [FileCall] { state.withLock { $0.injectedInto } }

  /// What made calls fail is over: they succeed from now on.
  public func end() {
    state.withLock { $0.isOver = true }
  }

  /// Runs `body` with the fault in place.
  public func run<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    try await SystemCalls.withHook(self, body)
  }

  package func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    guard path == directory || path.hasPrefix(directory + "/"), matchesPath(path) else { return .proceed }
    let call = FileCall(call)
    return state.withLock { state in
      state.counts[call, default: 0] += 1
      state.paths[call, default: [:]][path, default: 0] += 1
      guard let fault, !state.isOver, kind == nil || kind == call else { return .proceed }
      let number = kind == nil ? state.counts.values.reduce(0, +) : state.counts[call, default: 0]
      guard isLasting ? number >= first : number == first else { return .proceed }
      state.injected += 1
      state.injectedInto.append(call)
      switch fault {
      case .error(let number): return .fail(number)
      case .short(let most): return .limit(most)
      }
    }
  }

  package func willAskStatus(path: String) {
    guard path.hasPrefix(directory + "/"), matchesPath(path) else { return }
    state.withLock { $0.statusCounts[path, default: 0] += 1 }
  }

  package func didCall(_ call: SystemCall, path: String) {}

  package func overwritesInPlace(path: String) -> Bool? { overwritesInPlace }
}
