package org.fhirstack.gateway.proxy;

import jakarta.servlet.http.HttpServletRequest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.fhirstack.gateway.Refusal;

/** Reads request bodies whole, within a limit for each and a limit for all together. */
public final class BodyReader {
    private static final int STEP = 256 << 10;
    private final int longest;
    private final Semaphore budget;

    /**
     * @param longest bytes of one body, after decompression
     * @param all     bytes of all bodies that are being judged at one time
     */
    public BodyReader(int longest, int all) {
        this.longest = longest;
        this.budget = new Semaphore(Math.max(all, longest) / STEP + 1);
    }

    /** A body in memory; closing it gives its share of the memory back. */
    public final class Body implements AutoCloseable {
        private byte[] content = new byte[0];
        private int steps;

        public byte[] content() {
            return content;
        }

        private void reserve(long size) {
            while ((long) steps * STEP < size) {
                if (!budget.tryAcquire()) {
                    throw new Refusal(503, "busy", "Too many large bodies at one time; try again soon.");
                }
                steps++;
            }
        }

        @Override
        public void close() {
            budget.release(steps);
            steps = 0;
        }
    }

    public Body none() {
        return new Body();
    }

    /** Reads a body of at most {@code limit} bytes; 413 when it is longer, 400 when it breaks off, 408 when it stalls. */
    public Body read(HttpServletRequest request, int limit) {
        int most = Math.min(limit, longest);
        if (request.getContentLengthLong() > most) {
            throw tooLong(most);
        }
        Body body = new Body();
        try {
            String encoding = request.getHeader("Content-Encoding");
            InputStream in = request.getInputStream();
            if (encoding != null && encoding.trim().equalsIgnoreCase("gzip")) {
                in = new GZIPInputStream(in);
            } else if (encoding != null && !encoding.trim().equalsIgnoreCase("identity")) {
                throw new Refusal(415, "media-type", "Only gzip is accepted as Content-Encoding.");
            }
            fill(body, in, most);
            return body;
        } catch (ZipException e) {
            body.close();
            throw Refusal.malformed("The body is not gzip.");
        } catch (SocketTimeoutException e) {
            body.close();
            throw new Refusal(408, "body-timeout", "The body did not arrive in time.");
        } catch (IOException e) {
            body.close();
            throw Refusal.malformed("The body ends before its end, or its chunks are not HTTP's.");
        } catch (RuntimeException e) {
            body.close();
            throw e;
        }
    }

    private void fill(Body body, InputStream in, int most) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(4096);
        byte[] buffer = new byte[16_384];
        int n;
        while ((n = in.read(buffer)) > 0) {
            if ((long) out.size() + n > most) {
                throw tooLong(most);
            }
            if (out.size() + n > 65_536) {
                body.reserve(out.size() + n);
            }
            out.write(buffer, 0, n);
        }
        body.content = out.toByteArray();
    }

    private static Refusal tooLong(int most) {
        return new Refusal(413, "too-long", "The body is longer than " + most + " bytes.");
    }

    /** Refuses a body that is not JSON: nothing else is judged here. */
    static void needJson(HttpServletRequest request) {
        String type = mediaType(request);
        if (!type.equals("application/fhir+json") && !type.equals("application/json")
                && !type.equals("application/json+fhir")) {
            throw new Refusal(415, "media-type", "The body must be application/fhir+json.");
        }
    }

    static void needForm(HttpServletRequest request) {
        if (!mediaType(request).equals("application/x-www-form-urlencoded")) {
            throw new Refusal(415, "media-type", "A search by POST needs application/x-www-form-urlencoded.");
        }
    }

    private static String mediaType(HttpServletRequest request) {
        String header = request.getHeader("Content-Type");
        String charset = header == null ? "" : header.toLowerCase(Locale.ROOT).replaceAll("[\" ]", "");
        if (charset.contains("charset=") && !charset.contains("charset=utf-8")) {
            throw new Refusal(415, "media-type", "The body must be UTF-8.");
        }
        return charset.replaceFirst(";.*", "");
    }
}
