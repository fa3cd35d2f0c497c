import Synchronization

/// Something odd about an image file that was read all the same.
public struct ImageNote: Sendable, Hashable, CustomStringConvertible {
  /// The file's path.
  public let file: String
  /// What is odd; files with the same fault have the same text.
  public let text: String

  /// The note for a person.
  public var description: String { "\(file): \(text)" }
}

/// Where notes about image files go.
///
/// A file that other readers open with a warning is opened here with a note. Without a receiver
/// notes are dropped.
public enum ImageNotes {
  private static let receiver = Mutex<(@Sendable (ImageNote) -> Void)?>(nil)

  /// The receiver that takes precedence within a task, for tests.
  @TaskLocal static var local: (@Sendable (ImageNote) -> Void)?

  /// Sends all notes from now on to `receiver`, which any thread may call; nil drops them.
  public static func receive(_ receiver: (@Sendable (ImageNote) -> Void)?) {
    Self.receiver.withLock { $0 = receiver }
  }

  /// Sends a note.
  static func post(_ text: String, _ file: String) {
    guard let receiver = local ?? receiver.withLock({ $0 }) else { return }
    receiver(ImageNote(file: file, text: text))
  }
}

/// Notes of one run: the first file of each kind is shown at once, the others are counted.
public final class NoteSummary: Sendable {
  private let files = Mutex<[String: Set<String>]>([:])
  private let show: @Sendable (String) -> Void

  /// A summary that shows its lines through `show`.
  public init(_ show: @escaping @Sendable (String) -> Void) { self.show = show }

  /// Takes a note; it is shown if it is the first of its kind.
  public func add(_ note: ImageNote) {
    let isFirst = files.withLock { files in
      let isFirst = files[note.text] == nil
      files[note.text, default: []].insert(note.file)
      return isFirst
    }
    if isFirst { show("\(note)") }
  }

  /// Shows how many further files each kind was found in.
  public func finish() {
    let counts = files.withLock { files in files.mapValues { $0.count - 1 } }
    for (text, count) in counts.sorted(by: { $0.key < $1.key }) where count > 0 {
      show("\(count) further \(count == 1 ? "file" : "files"): \(text)")
    }
  }
}
