import Foundation

/// What a run was measured on.
package struct Machine {
  private let directory: String
  private let begin = ProcessorTime.now

  /// The machine, with files made in this directory; what others do on it counts from now on.
  package init(directory: String) {
    self.directory = directory
  }

  /// Whether others took so much of the processors' time that rates say little.
  package var isBusy: Bool { (othersShare ?? 0) > 0.1 }

  /// Until now.
  private var othersShare: Double? {
    guard let begin, let now = ProcessorTime.now else { return nil }
    return begin.othersShare(until: now)
  }

  package var lines: [String] {
    let information = ProcessInfo.processInfo
    return [
      "- processor: \(information.activeProcessorCount) × \(processor)",
      "- memory: \(information.physicalMemory >> 30) GiB",
      "- kernel: \(kernel)",
      "- file system: \(fileSystem)",
    ]
      + (othersShare.map { ["- processor time that others took meanwhile: \(Quantity.fixed($0 * 100, 0)) %"] } ?? [])
  }

  private var processor: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    let model = lines.first { $0.hasPrefix("model name") }
    return model?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
  }

  private var kernel: String {
    var names = utsname()
    guard uname(&names) == 0 else { return "unknown" }
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(names.sysname)) \(text(names.release)) \(text(names.machine))"
  }

  /// The kind of the file system that holds the directory: the mount with the longest path that begins it.
  private var fileSystem: String {
    let path = URL(filePath: directory).resolvingSymlinksInPath().path + "/"
    let mounts = (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8))?.split(separator: "\n") ?? []
    let fields = mounts.map { $0.split(separator: " ") }.filter { mount in
      mount.count > 2 && path.hasPrefix(mount[1] == "/" ? "/" : "\(mount[1])/")
    }
    return fields.max { $0[1].count < $1[1].count }.map { String($0[2]) } ?? "unknown"
  }
}
