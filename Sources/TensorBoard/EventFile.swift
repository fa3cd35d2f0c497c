import Files
import Foundation
import SwiftProtobuf

/// An event file that could not be written.
package struct EventFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file.
  package let file: String
  /// Why, in the system's words.
  package let reason: String

  /// The message for a person.
  package var description: String { "\(file): cannot be written: \(reason)" }
}

/// A file of events that TensorBoard shows: numbers over steps, pictures and histograms.
///
/// A record is TensorFlow's TFRecord: length, its masked CRC-32C, the event, its masked CRC-32C
/// (tensorflow/core/lib/io/record_writer.h). Each is written at once, so that a kill leaves at most one
/// incomplete record at the end, which readers pass over.
package final class EventFile {
  /// The file.
  package let path: String
  private let handle: FileHandle

  /// Begins a new file in `folder`; events of earlier files there from `step` on are void.
  ///
  /// - Throws: ``EventFileError``.
  package init(in folder: String, from step: Int) throws {
    let now = Date().timeIntervalSince1970
    // In the order of their names files are read.
    let host = ProcessInfo.processInfo.hostName.filter { $0.isLetter || $0.isNumber || $0 == "-" }
    path = folder + String(format: "/events.out.tfevents.%016.5f.", now) + host
    let descriptor = FileSystem.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    guard descriptor >= 0 else {
      throw EventFileError(file: path, reason: String(cString: strerror(errno)))
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try write(step: 0) { $0.fileVersion = "brain.Event:2" }
    try write(step: step) { $0.sessionLog.status = .start }
  }

  deinit { try? handle.close() }

  /// The event files in `folder`, the oldest first.
  package static func files(in folder: String) -> [String] {
    let names = FileSystem.names(in: folder) ?? []
    return names.filter { $0.hasPrefix("events.out.tfevents.") }.sorted()
  }

  /// A number at a step.
  ///
  /// - Throws: ``EventFileError``.
  package func scalars(_ values: [(tag: String, value: Double)], step: Int) throws {
    try write(step: step) { event in
      event.summary.value = values.map { tag, value in
        .with {
          $0.tag = tag
          $0.simpleValue = Float(value)
        }
      }
    }
  }

  /// A picture at a step, as the bytes of a PNG file of an RGB picture.
  ///
  /// - Throws: ``EventFileError``.
  package func image(_ tag: String, png: [UInt8], width: Int, height: Int, step: Int) throws {
    try write(step: step) { event in
      event.summary.value = [
        .with {
          $0.tag = tag
          $0.image.width = Int32(clamping: width)
          $0.image.height = Int32(clamping: height)
          $0.image.colorspace = 3
          $0.image.encodedImageString = Data(png)
        }
      ]
    }
  }

  /// How often each of the numbers 0, 1, 2 and so on occurs at a step.
  ///
  /// - Throws: ``EventFileError``.
  package func histogram(_ tag: String, counts: [Double], step: Int) throws {
    let places = counts.indices.map(Double.init)
    try write(step: step) { event in
      event.summary.value = [
        .with {
          $0.tag = tag
          // Each number in the middle of its bucket.
          $0.histo.min = -0.5
          $0.histo.max = Double(counts.count) - 0.5
          $0.histo.num = counts.reduce(0, +)
          $0.histo.sum = zip(places, counts).reduce(0) { $0 + $1.0 * $1.1 }
          $0.histo.sumSquares = zip(places, counts).reduce(0) { $0 + $1.0 * $1.0 * $1.1 }
          $0.histo.bucketLimit = places.map { $0 + 0.5 }
          $0.histo.bucket = counts
        }
      ]
    }
  }

  private func write(step: Int, _ fill: (inout Tensorboard_Event) -> Void) throws {
    var event = Tensorboard_Event()
    event.wallTime = Date().timeIntervalSince1970
    event.step = Int64(step)
    fill(&event)
    do {
      let bytes: [UInt8] = try event.serializedBytes()
      try handle.write(contentsOf: Data(TFRecord.framed(bytes)))
    } catch {
      throw EventFileError(file: path, reason: error.localizedDescription)
    }
  }
}
