/// A file that is made beside another, or beside nothing, and then takes its name: whoever opens the name finds the old one
/// or the new one, whole.
///
/// A crash may leave it under its temporary name, where the next one with that name begins again.
package struct Replacement: Sendable {
  /// What is to be written to.
  package let file: Descriptor
  private let directory: Directory
  private let temporaryName: String
  private let name: String

  /// Begins one, with nothing in it.
  ///
  /// - Parameters:
  ///   - name: the name that it takes.
  ///   - temporaryName: what it is called until then.
  ///   - original: whose rights it gets; nil for those that the process gives to any file.
  package init(
    of name: String, in directory: Directory, as temporaryName: String, like original: Descriptor?
  ) throws(FileError) {
    try directory.removeIfPresent(temporaryName)
    file =
      if let original { try directory.create(temporaryName, like: original) } else {
        try directory.open(temporaryName, .createNew)
      }
    self.directory = directory
    self.temporaryName = temporaryName
    self.name = name
  }

  /// Puts what was written on stable storage, and the file in its place. The name is on stable storage once the directory
  /// is flushed.
  ///
  /// - Parameter flushing: false where what was written is on stable storage already, or promises nothing that is not.
  package func finish(flushing: Bool = true) throws(FileError) {
    if flushing { try file.flush() }
    try directory.rename(temporaryName, to: name)
  }

  /// Removes what was begun.
  package func abandon() {
    try? directory.remove(temporaryName)
  }
}
