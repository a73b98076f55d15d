extension Workload {
  /// All that need nothing but themselves, in the order of the report. The growing log makes its own.
  package static let all =
    HeadlineWork.all + AppendWork.all + BatchWork.all + CrowdWork.all + SyncedWork.all + ReadWork.all
    + ConsumeWork.all + WaitWork.all + FollowWork.all + WaitWork.rates + SendWork.all
}
