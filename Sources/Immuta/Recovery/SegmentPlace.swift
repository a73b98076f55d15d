// Whether the files of a segment are in their place in the log.

extension LogFiles {
  /// Throws where a companion says that its segment begins with another record than its name says: its log may be another
  /// segment's, too, whose records must not get other numbers.
  func checkPlace(_ header: CompanionHeader) throws(ImmutaError) {
    let stated = header.firstSequence
    // One that was given its name just before the machine went down may not say it yet.
    if stated == first || (first > 0 && stated == CompanionHeader.unnamedFirst) { return }
    throw .corrupted(
      Corruption(
        .segmentMisplaced, path: companionPath,
        reason:
          "it says that its segment begins with record \(stated), and its name says with record \(first): it was moved or "
          + "renamed; put the files back under their names"))
  }
}
