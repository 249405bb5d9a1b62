package org.fhirstack.gateway.proxy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.fhirstack.gateway.Refusal;

/**
 * Lets a bundle stream through, except for two members of its top level: {@code link} is read whole and written anew,
 * and, when asked, each element of {@code entry}. All other bytes stay as they are; nothing but one entry is in memory.
 */
public final class BundleStream extends OutputStream {
    private static final int LONGEST_NAME = 256;

    /** Judges one entry. */
    public interface Entries {
        /** The entry as it goes on; null drops it. */
        byte[] judge(int index, byte[] entry) throws IOException;

        /** All entries were judged; there were this many. */
        default void end(int count) {
        }
    }

    /** Writes {@code Bundle.link} anew. */
    public interface Links {
        byte[] rewrite(byte[] array) throws IOException;
    }

    private final OutputStream out;
    private final Links links;
    private final Entries entries;
    private final ByteArrayOutputStream name = new ByteArrayOutputStream();
    private ByteArrayOutputStream captured;
    private boolean capturingLink;
    private boolean inEntries;
    private boolean inString;
    private boolean escaped;
    private boolean bundle;
    private int depth;
    private String key;
    private int index;
    private int kept;

    /**
     * @param entries null when no entry needs a look
     */
    public BundleStream(OutputStream out, Links links, Entries entries) {
        this.out = out;
        this.links = links;
        this.entries = entries;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        int end = offset + length;
        int run = offset;
        for (int i = offset; i < end; i++) {
            boolean aside = captured != null;
            boolean skipped = !aside && skipping(bytes[i]);
            step(bytes[i]);
            if (aside) {
                if (captureIsWhole()) {
                    captured.write(bytes, run, i + 1 - run);
                    endOfCapture();
                    run = i + 1;
                }
            } else if (captured != null || skipped) {
                out.write(bytes, run, i - run);
                run = skipped ? i + 1 : i;
            }
        }
        (captured != null ? captured : out).write(bytes, run, end - run);
    }

    /** Between entries the commas are written by us, as entries may be dropped. */
    private boolean skipping(byte b) {
        return inEntries && depth == 2 && !inString && (b == ',' || b == ' ' || b == '\n' || b == '\r' || b == '\t');
    }

    private void step(byte b) throws IOException {
        if (inString) {
            string(b);
            return;
        }
        switch (b) {
            case '"' -> {
                inString = true;
                name.reset();
            }
            case '{', '[' -> open(b);
            case '}', ']' -> {
                depth--;
                if (depth == 1 && inEntries && captured == null) {
                    inEntries = false;
                }
            }
            case ':' -> {
                if (depth == 1 && captured == null) {
                    key = name.toString(StandardCharsets.UTF_8);
                    if (!bundle && !key.equals("resourceType")) {
                        throw notBundle();
                    }
                }
            }
            case ',' -> {
                if (depth == 1) {
                    key = null;
                }
            }
            default -> {
                // Other bytes do not change the structure.
            }
        }
    }

    private void string(byte b) {
        if (escaped) {
            escaped = false;
        } else if (b == '\\') {
            escaped = true;
        } else if (b == '"') {
            inString = false;
            if (depth == 1 && "resourceType".equals(key)) {
                bundle = name.toString(StandardCharsets.UTF_8).equals("Bundle");
                if (!bundle) {
                    throw notBundle();
                }
            }
            return;
        }
        if (depth == 1 && name.size() < LONGEST_NAME) {
            name.write(b);
        }
    }

    private void open(byte b) {
        if (depth == 0 && b != '{') {
            throw notBundle();
        }
        if (captured == null && depth == 1 && b == '[' && "link".equals(key)) {
            captured = new ByteArrayOutputStream();
            capturingLink = true;
        } else if (captured == null && entries != null && depth == 1 && "entry".equals(key)) {
            if (b != '[') {
                throw notBundle();
            }
            inEntries = true;
        } else if (captured == null && inEntries && depth == 2) {
            captured = new ByteArrayOutputStream(4096);
            capturingLink = false;
        }
        depth++;
    }

    private boolean captureIsWhole() {
        return !inString && depth <= (capturingLink ? 1 : 2);
    }

    private void endOfCapture() throws IOException {
        byte[] value = captured.toByteArray();
        captured = null;
        if (capturingLink) {
            out.write(links.rewrite(value));
            return;
        }
        byte[] judged = entries.judge(index++, value);
        if (judged != null) {
            if (kept++ > 0) {
                out.write(',');
            }
            out.write(judged);
        }
    }

    /** Nothing can follow; an answer that broke off is not a bundle. */
    public void finish() {
        if (!bundle || depth != 0 || inString) {
            throw notBundle();
        }
        if (entries != null) {
            entries.end(index);
        }
    }

    private static Refusal notBundle() {
        return new Refusal(502, "backend-answer", "The FHIR server's answer is not a complete bundle.");
    }
}
