package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.access.Outgoing;

/**
 * A Binary as its content, which is what R4 gives to whoever reads one and does not ask for FHIR's own formats: the
 * pictures of a form. The FHIR server is asked for the resource all the same, so that its tags can be judged.
 *
 * <p>Whoever may write a Binary chooses its type, and a browser may ask for it in the name of whoever looks: no content
 * is run, and only types that are nothing to run are named.
 */
final class RawBinary {
    private static final Pattern PATH = Pattern.compile("Binary/[A-Za-z0-9.-]+(/_history/[A-Za-z0-9.-]+)?");
    private static final Pattern FHIR = Pattern.compile("[a-z]+/(fhir\\+|[a-z+]*)(json|xml)(\\+fhir)?");
    private static final Pattern INERT = Pattern.compile("(image/(?!svg)|audio/|video/)[a-z0-9][a-z0-9.+-]*"
            + "|text/(plain|csv)|application/(pdf|json|octet-stream)");
    private static final String OTHER = "application/octet-stream";

    private RawBinary() {
    }

    /** True when a read is of a Binary, whole, and neither its Accept nor its parameters name a format of FHIR. */
    static boolean asked(HttpServletRequest request, Outgoing outgoing) {
        return outgoing.method().equals("GET") && PATH.matcher(outgoing.path()).matches()
                && outgoing.query().isEmpty() && (request.getQueryString() == null
                || request.getQueryString().isEmpty())
                && Collections.list(request.getHeaders("Accept")).stream().flatMap(line -> List.of(line.split(","))
                .stream()).noneMatch(range -> FHIR.matcher(essence(range)).matches());
    }

    private static String essence(String type) {
        return type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
    }

    /** Writes the content of the resource in {@code body}. */
    static void send(InputStream body, HttpServletResponse response, OutputStream out) throws IOException {
        response.setHeader("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox");
        response.setHeader("Content-Disposition", "attachment");
        response.setContentType(OTHER);
        try (JsonParser p = Json.factory().createParser(body)) {
            p.disable(JsonParser.Feature.AUTO_CLOSE_SOURCE);
            need(p.nextToken() == JsonToken.START_OBJECT);
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String name = p.currentName();
                JsonToken value = p.nextToken();
                if (name.equals("contentType") && value == JsonToken.VALUE_STRING) {
                    String type = essence(p.getText());
                    response.setContentType(INERT.matcher(type).matches() ? type : OTHER);
                } else if (name.equals("data") && value == JsonToken.VALUE_STRING) {
                    p.readBinaryValue(out);
                } else {
                    p.skipChildren();
                }
            }
            need(p.currentToken() == JsonToken.END_OBJECT);
        }
    }

    private static void need(boolean whole) throws IOException {
        if (!whole) {
            throw new IOException("the FHIR server's answer is not a resource");
        }
    }
}
