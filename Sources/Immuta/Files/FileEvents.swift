import CImmutaFileCalls
import ImmutaLocking

/// Notified when watched files may have changed.
protocol FileObserver: AnyObject, Sendable {
  func filesMayHaveChanged()
}

/// The kernel's reports about files (inotify): one descriptor for everything that a process watches, since a user has few of
/// them, and one thread that reads it, for as long as anything is watched.
///
/// It reports calls of this machine's processes, on a file system of this machine. It does not report stores into mappings,
/// actions of another host, or changes in the layers below an overlay. See ``FileSystem/reportsChanges``.
final class FileEvents: Sendable {
  static let shared = FileEvents(name: "inotify")

  /// The name by which tests recognise its calls.
  private let name: String
  private let state = Lock(State())

  private struct State {
    var events: Descriptor?
    /// Whether the thread runs, which it does while anything is watched.
    var isRead = false
    var watches: [Int32: [Watcher]] = [:]
    /// Whether events could not be read, once: then nothing is watched any more, and everybody looks for itself.
    var hasFailed = false
  }

  init(name: String) { self.name = name }

  private struct Watcher {
    let observer: any FileObserver
    /// Names in the directory that concern the observer; nil where any event does.
    let names: [String]?
  }

  /// What is watched together: a log's files, their names in their directory, and the way to it.
  struct Places {
    let directory: Directory
    /// Open files of the directory.
    let files: [Descriptor]
    /// Names that concern the observer, also of files that are not there yet; nil where all do.
    let names: [String]?
    /// Which changes of the directory are reported.
    var what: file_watch = FILE_WATCH_NAMES
  }

  /// Notifies the observer once of the next write to one of the files, or truncation of one, and of each change of names, until
  /// `forget`. A caller that looks at the files after this misses no later change. May be called again and again.
  ///
  /// Directories on the way that cannot be watched are left out: a caller that needs to know looks for itself now and then.
  ///
  /// - Returns: false where the rest cannot be watched, for want of watches or of rights.
  func watch(_ places: Places, for observer: any FileObserver) -> Bool {
    state.withLock { state in
      if state.hasFailed { return false }
      let isDone = watch(places, for: observer, &state)
      // A running thread makes sure that everything is closed in the end.
      if state.isRead { return isDone }
      if state.watches.isEmpty {
        state.events = nil
      } else if let events = state.events {
        do throws(NoThread) {
          try Thread.start { self.read(events) }
          state.isRead = true
        } catch {
          // Closing it ends all watches.
          (state.events, state.watches) = (nil, [:])
          return false
        }
      }
      return isDone
    }
  }

  private func watch(_ places: Places, for observer: any FileObserver, _ state: inout State) -> Bool {
    do throws(FileError) {
      let (directory, way) = try places.directory.watched()
      let events: Descriptor
      if let open = state.events { events = open } else { events = Descriptor(events: try SystemCalls.openEvents()) }
      state.events = events
      func add(_ number: Int32, _ names: [String]?) {
        if state.watches[number]?.contains(where: { $0.observer === observer && $0.names == names }) == true { return }
        state.watches[number, default: []].append(Watcher(observer: observer, names: names))
      }
      add(try Self.watch(directory, places.what, with: events), places.names)
      for file in places.files { add(try Self.watch(file, FILE_WATCH_NEXT_WRITE, with: events), nil) }
      for path in way {
        guard let number = try? SystemCalls.watch(path, FILE_WATCH_PLACE, with: events.number, path: path) else {
          continue
        }
        add(number, [])
      }
      return true
    } catch {
      return false
    }
  }

  /// The observer is not notified any more.
  func forget(_ observer: any FileObserver) {
    state.withLock { state in
      guard let events = state.events else { return }
      for (number, watchers) in state.watches where watchers.contains(where: { $0.observer === observer }) {
        let others = watchers.filter { $0.observer !== observer }
        state.watches[number] = others.isEmpty ? nil : others
        // The thread wakes for the last one, too, and ends.
        if others.isEmpty { SystemCalls.endWatch(number, with: events.number) }
      }
    }
  }

  /// By its number, which leads to the open file whatever has its name; by its path where there is no /proc, and the path
  /// leads there.
  private static func watch(
    _ file: Descriptor, _ what: file_watch, with events: Descriptor
  ) throws(FileError) -> Int32 {
    do {
      return try file.withNumber { (number) throws(FileError) in
        try SystemCalls.watch("/proc/self/fd/\(number)", what, with: events.number, path: file.path)
      }
    } catch let error where error.errorNumber == ErrorNumber.notFound {
      let path = file.path
      let identity = try file.status().identity
      guard try SystemCalls.status(path)?.identity == identity else {
        throw error
      }
      let watch = try SystemCalls.watch(path, what, with: events.number, path: path)
      if try SystemCalls.status(path)?.identity == identity { return watch }
      throw error
    }
  }

  /// The thread: until nothing is watched.
  private func read(_ events: Descriptor) {
    let size = 16 << 10
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
    defer { unsafe buffer.deallocate() }
    while true {
      let count = unsafe SystemCalls.readEvents(events.number, into: buffer, path: name)
      FileWaiting.noteWakeUp()
      let parsed = unsafe Self.events(in: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      let (observers, isOver) = state.withLock { state in
        // Without events it is unknown what changed: all observers look, and `watch` then shows them that they have to look for
        // themselves.
        let observers = count == 0 ? all(in: state) : concerned(by: parsed, &state)
        let isOver = state.watches.isEmpty || count == 0
        if isOver { state = State(hasFailed: count == 0) }
        return (observers, isOver)
      }
      // Not under the lock: an observer may watch again at once.
      for observer in observers { observer.filesMayHaveChanged() }
      if isOver { return }
    }
  }

  private struct Event {
    let watch: Int32
    let mask: UInt32
    let name: String

    /// More came than the kernel keeps.
    var isOverflow: Bool { watch < 0 }
    /// After a write, which is reported once; or the kernel ended the watch for another reason.
    var endsWatch: Bool { mask & (Self.modified | Self.ignored) != 0 }

    private static var modified: UInt32 { 0x2 }
    private static var ignored: UInt32 { 0x8000 }
  }

  private func all(in state: State) -> [any FileObserver] {
    let observers = state.watches.values.flatMap { $0 }.map { (ObjectIdentifier($0.observer), $0.observer) }
    return Array(Dictionary(observers) { first, _ in first }.values)
  }

  private func concerned(by events: [Event], _ state: inout State) -> [any FileObserver] {
    var observers: [ObjectIdentifier: any FileObserver] = [:]
    for event in events {
      let watchers = event.isOverflow ? state.watches.values.flatMap { $0 } : state.watches[event.watch] ?? []
      for watcher in watchers where event.name.isEmpty || watcher.names?.contains(event.name) ?? true {
        observers[ObjectIdentifier(watcher.observer)] = watcher.observer
      }
      if event.endsWatch { state.watches[event.watch] = nil }
    }
    return Array(observers.values)
  }

  /// inotify(7): a watch, a mask, a cookie, how many bytes of name follow, and the name, ended by at least one zero.
  private static func events(in bytes: UnsafeRawBufferPointer) -> [Event] {
    var events: [Event] = []
    var position = 0
    while position + 16 <= bytes.count {
      let watch = unsafe bytes.loadUnaligned(fromByteOffset: position, as: Int32.self)
      let mask = unsafe bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)
      let length = unsafe Int(bytes.loadUnaligned(fromByteOffset: position + 12, as: UInt32.self))
      let end = min(position + 16 + length, bytes.count)
      let name = unsafe String(decoding: bytes[position + 16..<end].prefix { $0 != 0 }, as: UTF8.self)
      events.append(Event(watch: watch, mask: mask, name: name))
      position = end
    }
    return events
  }
}
