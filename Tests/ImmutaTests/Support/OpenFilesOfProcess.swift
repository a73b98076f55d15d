import Foundation

/// The files of a directory that this process has open; none where the system has no `/proc`.
func openFiles(in directory: String) -> [String] {
  let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
  return numbers.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
    .filter { $0.hasPrefix(directory) }
}
