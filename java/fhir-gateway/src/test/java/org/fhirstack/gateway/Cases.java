package org.fhirstack.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.function.Executable;

/** Tables of cases, kept as JSON beside the tests. */
public final class Cases {
    private Cases() {
    }

    public interface Check {
        void run(JsonNode one) throws Exception;
    }

    public static Stream<DynamicTest> of(String file, Check check) throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (JsonNode one : read(file)) {
            Executable run = () -> check.run(one);
            tests.add(DynamicTest.dynamicTest(one.path("name").asText(one.toString()), run));
        }
        Assertions.assertFalse(tests.isEmpty());
        return tests.stream();
    }

    public static JsonNode read(String file) throws IOException {
        try (InputStream in = Cases.class.getResourceAsStream("/cases/" + file)) {
            return Json.parse(in.readAllBytes());
        }
    }

    public static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(t -> texts.add(t.asText()));
        return texts;
    }

    /** The status of the refusal that a call ends in; 200 when there is none. */
    public static int status(Runnable call) {
        try {
            call.run();
            return 200;
        } catch (Refusal refusal) {
            return refusal.status();
        }
    }
}
