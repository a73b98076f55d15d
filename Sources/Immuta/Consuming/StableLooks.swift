/// How often to look again whether more of a log is stable than was written down: less and less often while nothing changes, and
/// then not any more.
enum StableLooks {
  /// So many looks in a row find nothing: then it takes another change.
  static var mostIdle: Int { 7 }

  /// The pause before a look, after so many in a row that found nothing. If the log is flushed at an interval, the pause is that
  /// interval.
  static func pause(afterIdle idle: Int, _ durability: Durability) -> Duration {
    durability.interval ?? .seconds(1 << min(idle, mostIdle))
  }
}
