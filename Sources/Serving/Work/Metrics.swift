import Foundation
import Synchronization

/// What a service counts, in Prometheus' text format.
final class Metrics: Sendable {
  /// What is counted of the requests of a route with a status.
  private struct Route: Hashable { let name: String, status: UInt }

  private struct Times {
    var buckets = [Int](repeating: 0, count: Metrics.bounds.count)
    var sum = 0.0, count = 0
  }

  private struct Counts {
    var requests: [Route: Int] = [:]
    var times: [String: Times] = [:]
    var steps: [String: (sum: Double, count: Int)] = [:]
    var pixels: [String: Int] = [:]
  }

  /// The upper bounds of the histogram's buckets in seconds.
  static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

  private let counts = Mutex(Counts())
  private let start = Date().timeIntervalSince1970

  /// Counts an answer.
  func add(route: String, status: UInt, seconds: Double) {
    counts.withLock { counts in
      counts.requests[Route(name: route, status: status), default: 0] += 1
      var times = counts.times[route] ?? Times()
      times.sum += seconds
      times.count += 1
      for (index, bound) in Self.bounds.enumerated() where seconds <= bound {
        times.buckets[index] += 1
      }
      counts.times[route] = times
    }
  }

  /// Adds what the steps of a request took.
  func add(_ times: Conveyor.Times) {
    counts.withLock { counts in
      for (name, time) in [
        ("decode", times.decode), ("network", times.network), ("encode", times.encode),
      ] where time > .zero {
        counts.steps[name, default: (0, 0)].sum += time / .seconds(1)
        counts.steps[name, default: (0, 0)].count += 1
      }
    }
  }

  /// The counts, and gauges that others know.
  func text(_ gauges: [(name: String, help: String, value: Double)]) -> String {
    var lines: [String] = []
    func head(_ name: String, _ kind: String, _ help: String) {
      lines += ["# HELP \(name) \(help)", "# TYPE \(name) \(kind)"]
    }
    let counts = counts.withLock { $0 }
    head("atrous_requests_total", "counter", "Answers by route and status.")
    for (route, count) in counts.requests.sorted(by: {
      ($0.key.name, $0.key.status) < ($1.key.name, $1.key.status)
    }) {
      lines.append(
        "atrous_requests_total{route=\"\(route.name)\",status=\"\(route.status)\"} \(count)")
    }
    head("atrous_request_seconds", "histogram", "Time from a request's headers to its answer.")
    for (route, times) in counts.times.sorted(by: { $0.key < $1.key }) {
      let name = "atrous_request_seconds"
      for (bound, count) in zip(Self.bounds, times.buckets) {
        lines.append("\(name)_bucket{route=\"\(route)\",le=\"\(bound)\"} \(count)")
      }
      lines += [
        "\(name)_bucket{route=\"\(route)\",le=\"+Inf\"} \(times.count)",
        "\(name)_sum{route=\"\(route)\"} \(times.sum)",
        "\(name)_count{route=\"\(route)\"} \(times.count)",
      ]
    }
    head("atrous_step_seconds", "summary", "Time of a request's steps.")
    for (step, time) in counts.steps.sorted(by: { $0.key < $1.key }) {
      lines += [
        "atrous_step_seconds_sum{step=\"\(step)\"} \(time.sum)",
        "atrous_step_seconds_count{step=\"\(step)\"} \(time.count)",
      ]
    }
    for gauge in gauges
      + [("process_start_time_seconds", "Start of the process since the epoch.", start)]
    {
      head(gauge.name, "gauge", gauge.help)
      lines.append("\(gauge.name) \(gauge.value)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
