import Foundation
import Harness
import Workloads

/// The tables of a run, as Markdown.
struct ResultsPage {
  let findings: Findings
  let machine: Machine
  let command: String
  let duration: String

  /// The tables of the workloads alone.
  var rows: String { sections.joined(separator: "\n\n") }

  var text: String {
    ([head] + sections + [growth, latency, peers]).joined(separator: "\n\n") + "\n"
  }

  private var head: String {
    // Opening has a row for each size, and one bar.
    let opening = findings.growth.compactMap(\.open.isHeld)
    let judged = findings.outcomes.compactMap(\.isHeld) + (opening.isEmpty ? [] : [opening.allSatisfy { $0 }])
    let missed = findings.outcomes.filter { $0.isHeld == false }.map(\.workload.name)
    return """
      # What was measured

      What it costs to append, to read, to open and to wait: Immuta, beside a floor and beside what else a Swift program
      could use. Everybody does the same work on the same files in the same run, in turn. How to read a row:

      - *Immuta* and *floor* are times for each record, medians of the rounds. The floor is a C program that makes the bare
        system calls for the same bytes. It computes no checksum, and Immuta computes one for each record and checks it when
        reading.
      - *ratio* is Immuta's time divided by the floor's, the median of the ratios of the rounds. Below 1 means that Immuta does
        less than the bare calls: a small append makes no system call, as it goes into mapped memory, and a thread of its own
        fills the pages ahead, on a second processor where there is one.
      - *bar* is what we want the ratio or the time to be; *held?* says whether it is.
      - *others* are times, too, with two numbers after each: how many times the floor's, and how many times Immuta's. SQLite
        (GRDB, with a write-ahead log) computes a checksum of each page it adds to that log, and checks none here. FileHandle
        computes none.

      Payloads cannot be compressed, and every byte that is read is summed. Of the growing log and of single appends there is
      one round.

      \(judged.count { $0 }) of \(judged.count) bars are held.\(missed.isEmpty ? "" : " Not held: \(missed.joined(separator: "; ")).")
      [Where the time goes](README.md#where-the-time-goes) has a word on each. Two bars more are not times, and `make test`
      checks them: a small append allocates nothing, a stream once a chunk (`Scripts/counts.sh`); and a record of any size
      goes in and out in less than 32 MiB (`LargeRecordTests`, `MemoryTests`). Memory, threads, wake-ups, descriptors and system
      calls, before and now: [What it costs besides time](README.md#what-it-costs-besides-time).

      \(machine.lines.joined(separator: "\n"))
      - date: \(Markdown.today)
      - command: `\(command)`, \(duration)
      """
  }

  private var sections: [String] {
    Workload.Section.allCases.compactMap { section in
      let outcomes = findings.outcomes(of: section)
      if outcomes.isEmpty { return nil }
      return "## \(section.rawValue)\n\n" + table(outcomes)
    }
  }

  private func table(_ outcomes: [Outcome]) -> String {
    Markdown.table(
      ["work", "Immuta", "floor", "ratio", "bar", "held?", "others (× floor, × Immuta)"],
      outcomes.map { outcome in
        let unit = outcome.workload.unit
        return [
          outcome.workload.name,
          outcome.ours.map { Quantity.value($0, unit) } ?? "",
          outcome.floor.map { Quantity.value($0, unit) } ?? "",
          outcome.ratio.map(Quantity.ratio) ?? "",
          outcome.workload.bar.map { Quantity.bar($0, unit) } ?? "",
          outcome.isHeld.map { $0 ? "yes" : "**no**" } ?? "",
          outcome.others.map { other in
            let ratios = [outcome.ratio(of: other), outcome.ratioToOurs(of: other)].compactMap { $0 }
            let note = ratios.isEmpty ? "" : " (\(ratios.map(Quantity.ratio).joined(separator: ", ")))"
            return "\(other.name): \(Quantity.value(other.median, unit))\(note)"
          }.joined(separator: "<br>"),
        ]
      })
  }

  private var growth: String {
    """
    ## Cost as the log grows

    Records of 100 B. Appended and committed one by one, no flush; read by number, at random; read in order, at the end
    that was just written and at the beginning. Heap: what the open log takes after that.


    """
      + Markdown.table(
        ["records in the log", "on disk", "append", "at random", "newest in order", "oldest in order", "open", "heap"],
        findings.growth.map { point in
          [Quantity.grouped(point.records), Quantity.bytes(point.bytes)]
            + [point.append, point.readAtRandom, point.streamNewest, point.streamOldest].map(Quantity.time)
            + [point.open.ours.map(Quantity.time) ?? "", Quantity.bytes(max(0, point.heap))]
        })
  }

  private var latency: String {
    let shares = [0.5, 0.9, 0.99, 0.999, 0.9999]
    return
      "## How long one append takes\n\n100 B, each committed by itself, no flush; the clock's own time included.\n\n"
      + Markdown.table(
        [""] + shares.map(Quantity.percent),
        findings.latencies.map { distribution in
          [distribution.name] + shares.map { Quantity.time(distribution.time(at: $0)) }
        })
  }

  private var peers: String {
    let tables = PeerTable.all.map { table in
      "**\(table.title)**\n\n"
        + Markdown.table(
          [""] + table.columns, table.rows.map { row in [row.name] + row.ratios.map { $0.map(Quantity.ratio) ?? "" } })
    }
    return """
      ## Programs in Go and C, on the same floors

      As ratios to the floor. Measured on 2026-11-21 on another machine of the kind (2 processors of an AMD EPYC, ext4,
      Linux 6.18) by running those programs, each figure the median of three fresh processes: Go Immuta v0.2.0,
      tidwall/wal v1.2.1, the file store of NATS v2.12.1, hashicorp/raft-wal 0.4.2, SQLite 3.40.1 through its C
      interface, RocksDB 7.8.3. There the streams' times begin behind the commit, here before it, and there the floor
      of a flush stores into a mapped header, too.

      """ + "\n" + tables.joined(separator: "\n\n")
  }
}
