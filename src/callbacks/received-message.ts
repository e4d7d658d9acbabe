/**
 * A received message as the callback client hands it over: one record for all messages, which looks at the session's
 * bytes and makes text of them only when asked.
 */
import type { SessionEvent } from '../session/event.ts';
import type { TopicHandle } from '../session/topic-aliases.ts';
import { isEqualRange } from '../wire/bytes.ts';
import { decodeText } from '../wire/text.ts';

export class ReceivedMessage {
  /** QoS, retain, receipt, where the bytes are: see SessionEvent. Like all of this, it holds until the callback returns. */
  event: SessionEvent;

  constructor(event: SessionEvent) {
    this.event = event;
  }

  /** The Topic Name; in a later fragment of a long message ''. */
  topicName(): string {
    const event = this.event;
    return decodeText(event.topicBytes, event.topicOffset, event.topicOffset + event.topicByteLength);
  }

  /** Whether the Topic Name is that of `topic`: costs no text. */
  hasTopic(topic: TopicHandle): boolean {
    const event = this.event;
    const length = event.topicByteLength;
    return (
      length === topic.bytes.length &&
      isEqualRange(event.topicBytes, event.topicOffset, topic.bytes, 0, length)
    );
  }

  /** The payload, or this fragment of it, as text; what is not UTF-8 becomes U+FFFD. */
  text(): string {
    const event = this.event;
    return decodeText(event.bytes, event.payloadOffset, event.payloadOffset + event.payloadByteLength);
  }

  /** The payload, or this fragment of it, where it is: a view, to be copied if it must live longer. */
  payload(): Uint8Array {
    const event = this.event;
    return event.bytes.subarray(event.payloadOffset, event.payloadOffset + event.payloadByteLength);
  }
}
