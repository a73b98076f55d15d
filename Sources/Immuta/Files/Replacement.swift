/// A file that is made beside another, or beside nothing, and then takes its name: a process that opens the name finds the old
/// file or the new one, whole.
///
/// A crash may leave it under its temporary name, where the next one with that name begins again.
package struct Replacement: Sendable {
  /// The file to write to.
  package let file: Descriptor
  private let directory: Directory
  private let temporaryName: String
  private let name: String

  /// Begins one, with nothing in it.
  ///
  /// - Parameters:
  ///   - name: the name that it takes.
  ///   - temporaryName: its name until then.
  ///   - original: the file whose rights it gets; nil for the rights that the process gives to any file.
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

  /// Puts the written bytes on stable storage, and gives the file its name. The name is on stable storage once the directory is
  /// flushed.
  ///
  /// - Parameter flushing: false if the written bytes are on stable storage already, or promise nothing that is not.
  package func finish(flushing: Bool = true) throws(FileError) {
    if flushing { try file.flush() }
    try directory.rename(temporaryName, to: name)
  }

  /// Removes the file that was begun.
  package func abandon() {
    try? directory.remove(temporaryName)
  }
}
