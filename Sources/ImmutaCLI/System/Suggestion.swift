import Immuta

/// What a user meant by a mistyped name: the existing name that is closest to it.
struct Suggestion: Equatable {
  let name: String

  /// The closest of some names; nil where none is so close that it is likely to be meant.
  init?(for typed: String, among names: some Sequence<String>) {
    let characters = Array(typed.lowercased())
    // A third of the characters may be other ones.
    var least = (characters.count + 1) / 3 + 1
    var closest: String?
    for name in names.sorted() where name != typed {
      let others = Array(name.lowercased())
      guard abs(others.count - characters.count) < least else { continue }
      let distance = Self.distance(characters, others)
      if distance < least { (least, closest) = (distance, name) }
    }
    guard let closest else { return nil }
    name = closest
  }

  /// The closest file or directory to a path whose last part only is mistyped.
  ///
  /// - Parameter isDirectory: whether it is a directory.
  init?(forPath path: String, isDirectory: Bool) {
    let (parent, typed) = (FilePath.parent(of: path), FilePath.name(of: path))
    let isAlone = !path.reversed().drop { $0 == "/" }.contains("/")
    func full(_ name: String) -> String { isAlone ? name : FilePath.appending(name, to: parent) }
    let names = System.names(in: parent).filter { name in
      (try? System.info(FilePath.appending(name, to: parent)))?.isDirectory == isDirectory
    }
    guard !typed.isEmpty, let closest = Suggestion(for: typed, among: names) else { return nil }
    name = full(closest.name)
  }

  /// As a question.
  var question: String { "did you mean \(name.quoted)?" }

  /// How many characters were inserted, left out, replaced, or exchanged with the next one: the fewest that make one text of the
  /// other, where nothing is changed twice. O(length × length).
  static func distance(_ one: [Character], _ other: [Character]) -> Int {
    if other.isEmpty { return one.count }
    // The rows of the table for the last two characters of `one`.
    var beforeLast: [Int] = []
    var last = Array(0...other.count)
    for (row, character) in one.enumerated() {
      var next = [row + 1]
      for (column, candidate) in other.enumerated() {
        var best = min(last[column + 1] + 1, next[column] + 1, last[column] + (character == candidate ? 0 : 1))
        if row > 0, column > 0, character == other[column - 1], one[row - 1] == candidate {
          best = min(best, beforeLast[column - 1] + 1)
        }
        next.append(best)
      }
      (beforeLast, last) = (last, next)
    }
    return last[other.count]
  }
}

extension Optional where Wrapped == Suggestion {
  /// The question after an error that is about a name, with `separator` before it; nothing where there is none.
  func asked(after separator: String) -> String { map { "\(separator)\($0.question)" } ?? "" }
}
