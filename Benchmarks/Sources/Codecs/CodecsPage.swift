import Foundation
import Harness

/// What a run found out, as Markdown and as a chart.
struct CodecsPage {
  let findings: [KindFindings]
  /// On what it was measured, when, and how: the items of a list.
  let circumstances: [String]
  let wasBusy: Bool

  /// CODECS.md.
  var text: String {
    let folder = "\(Article.catalog)/Resources"
    return """
      # Sizes and rates of the codecs

      The same records through each codec, one record per commit, no flush, and read back in order from page cache.
      The columns and the conclusions are explained in [Sizes and rates](\(Article.catalog)/\(Article.name)).

      <picture>
        <source media="(prefers-color-scheme: dark)" srcset="\(folder)/\(chart.file)~dark.svg">
        <img alt="\(Self.chartDescription)" src="\(folder)/\(chart.file).svg">
      </picture>

      \(setting)

      \(tables(heading: "##"))

      """
  }

  /// What goes into the documentation's article.
  var measured: String {
    """
    ![\(Self.chartDescription)](\(chart.file))

    ## What was measured

    \(setting)

    \(tables(heading: "###"))
    """
  }

  func tables(heading: String) -> String {
    findings.map { kind in
      let average = kind.byteCount / kind.count
      return """
        \(heading) \(kind.kind.title)

        \(Quantity.grouped(kind.count)) records of \(average) bytes on average, \(mega(Double(kind.byteCount))) MB together.

        \(table(kind))
        """
    }.joined(separator: "\n\n")
  }

  private func table(_ kind: KindFindings) -> String {
    Markdown.table(
      ["", "stored", "append", "read"],
      kind.findings.map { finding in
        [
          finding.isReference ? "*\(finding.name)*" : finding.name, "\(Quantity.fixed(finding.storedShare * 100, 1)) %",
          "\(mega(finding.appendRate)) MB/s", "\(mega(finding.readRate)) MB/s",
        ]
      })
  }

  private var setting: String {
    let note = "The machine had other work to do at that time: the rates are too low, and only roughly comparable."
    return circumstances.joined(separator: "\n") + (wasBusy ? "\n\n\(note)" : "")
  }

  private func mega(_ bytes: Double) -> String { Quantity.digits(bytes / 1e6) }
}

extension CodecsPage {
  private static let chartDescription =
    "A bar chart: what each codec stores of JSON events, access log lines and random bytes, in percent of the payloads."

  var chart: BarChart {
    // Without a codec there is nothing to see: that is the line at 100 %.
    let names = findings.first?.findings.map(\.name).dropFirst() ?? []
    let styles: [Style] = [.ours, .first, .floor]
    return BarChart(
      file: "codec-sizes", title: "What each codec stores",
      subtitle: "Bytes stored for each 100 bytes of payload. Lower is better. The last two: all records as one file.",
      kinds: Array(zip(findings.map(\.kind.rawValue), styles)),
      groups: names.map { name in
        let same = findings.compactMap { kind in kind.findings.first { $0.name == name } }
        return BarChart.Group(
          name: name, values: same.map { $0.storedShare * 100 }, isReference: same.contains(where: \.isReference))
      },
      axis: BarChart.Axis(marks: [0, 25, 50, 75, 100, 125], whole: 100) { Quantity.fixed($0, 0) })
  }
}
