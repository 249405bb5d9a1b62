package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/**
 * An answer that the gateway makes itself.
 *
 * @param reason for the access log and metrics
 * @param body   writes the answer; the same each time it is called
 */
public record Answer(String reason, Body body) {

    /** Writes a body, as often as it is asked to. */
    public interface Body {
        void write(JsonGenerator out) throws IOException;
    }
}
