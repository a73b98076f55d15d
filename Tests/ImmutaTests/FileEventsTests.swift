import Foundation
import ImmutaLocking
import ImmutaTestSupport
import Testing

@testable import Immuta

/// What the kernel reports of files, and what becomes of those who rely on it when it reports no more.
@Suite(.timeLimit(.minutes(2))) struct FileEventsTests {
  private final class Observer: FileObserver {
    private let state = Lock(0)
    var told: Int { state.withLock { $0 } }
    func filesMayHaveChanged() { state.withLock { $0 += 1 } }
  }

  /// Lets the events of one name fail, once it is told to.
  private final class FailingRead: SystemCallHook {
    private let name: String
    private let isOn = Lock(false)

    init(_ name: String) { self.name = name }

    func fail() { isOn.withLock { $0 = true } }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      call == .read && path == name && isOn.withLock { $0 } ? .fail(ErrorNumber.ioError) : .proceed
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  private func places(_ name: String, in directory: TemporaryDirectory) throws -> FileEvents.Places {
    try directory.write([1], to: name)
    let place = try Directory(opening: directory.path)
    return FileEvents.Places(directory: place, files: [try place.open(name, .read)], names: [name])
  }

  @Test func whoWatchesAFileIsToldOfIt() async throws {
    let directory = TemporaryDirectory()
    let events = FileEvents(name: "events of \(directory.path)")
    let (one, other) = (Observer(), Observer())
    // Both files are made before anything is watched: what is reported late of making them would be taken for a change.
    let (onePlaces, otherPlaces) = (try places("one", in: directory), try places("other", in: directory))
    #expect(events.watch(onePlaces, for: one))
    #expect(events.watch(otherPlaces, for: other))
    let told = (one.told, other.told)
    try append(to: directory.file("one"))
    #expect(await eventually { one.told > told.0 })
    #expect(other.told == told.1)
    events.forget(one)
    events.forget(other)
  }

  /// Nobody knows any more what changed: all look, and from then on for themselves.
  @Test func allAreToldOnceEventsCannotBeRead() async throws {
    let directory = TemporaryDirectory()
    let name = "failing events of \(directory.path)"
    let events = FileEvents(name: name)
    let (one, other) = (Observer(), Observer())
    let hook = FailingRead(name)
    try await SystemCalls.withHook(hook) {
      #expect(events.watch(try places("one", in: directory), for: one))
      let places = try places("other", in: directory)
      #expect(events.watch(places, for: other))
      let told = other.told
      hook.fail()
      // Wakes the thread that reads.
      try append(to: directory.file("one"))
      #expect(await eventually { one.told > 0 && other.told > told })
      #expect(!events.watch(places, for: other))
    }
  }

  private func append(to path: String) throws {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seekToEnd()
    try file.write(contentsOf: [2])
    try file.close()
  }
}
