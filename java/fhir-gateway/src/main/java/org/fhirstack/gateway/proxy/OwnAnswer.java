package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.core.JsonGenerator;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Collections;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.custom.Answer;

/**
 * Sends an answer that the gateway makes itself, with public addresses and an ETag. It is written twice, first only for
 * its digest.
 */
final class OwnAnswer {
    private OwnAnswer() {
    }

    /** True when it was sent; false when the client has it already (304). */
    static boolean send(Answer answer, String backendBase, Forwarder.Exchange exchange) throws IOException {
        String base = exchange.base();
        HttpServletResponse response = exchange.response();
        String tag = "W/\"" + digest(answer, backendBase, base) + "\"";
        response.setHeader("ETag", tag);
        for (String known : Collections.list(exchange.request().getHeaders("If-None-Match"))) {
            for (String one : known.split(",")) {
                if (one.strip().equals("*") || one.strip().replaceFirst("^W/", "").equals(tag.substring(2))) {
                    response.setStatus(HttpServletResponse.SC_NOT_MODIFIED);
                    return false;
                }
            }
        }
        response.setContentType("application/fhir+json;charset=UTF-8");
        write(answer, new BaseRewriter(exchange.out(), backendBase, base));
        return true;
    }

    private static String digest(Answer answer, String backendBase, String base) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            write(answer, new BaseRewriter(new DigestOutputStream(OutputStream.nullOutputStream(), digest), backendBase,
                    base));
            return Base64.getUrlEncoder().withoutPadding().encodeToString(digest.digest()).substring(0, 22);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void write(Answer answer, BaseRewriter out) throws IOException {
        JsonGenerator generator = Json.factory().createGenerator(out).disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)
                .disable(JsonGenerator.Feature.FLUSH_PASSED_TO_STREAM);
        answer.body().write(generator);
        generator.close();
        out.finish();
    }
}
