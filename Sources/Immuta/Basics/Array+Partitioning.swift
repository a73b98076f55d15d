extension Array {
  /// The position of the first element that a condition holds for, where it holds for all after it, too; `count` where it
  /// holds for none. O(log count).
  func partitioningIndex(_ isAfter: (Element) -> Bool) -> Int {
    var (lower, upper) = (0, count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if isAfter(self[middle]) { upper = middle } else { lower = middle + 1 }
    }
    return lower
  }
}
