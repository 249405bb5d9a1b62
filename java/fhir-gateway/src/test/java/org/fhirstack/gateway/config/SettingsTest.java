package org.fhirstack.gateway.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.fhirstack.gateway.Cases;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {
    @TempDir
    Path directory;

    private Map<String, String> good() throws IOException {
        Path secret = Files.writeString(directory.resolve("secret"), "0123456789012345678901234567890123456789\n");
        return new HashMap<>(Map.of("PROXY_TO", "http://127.0.0.1:8080/fhir", "PUBLIC_BASE_URL",
                "https://fhir.example.org/fhir", "TOKEN_ISSUER", "https://issuer.example.org/auth/realms/a",
                "ACCESS_CHECKER", "permission", "BACKEND_TYPE", "HAPI", "PAGE_LINK_SECRET_FILE", secret.toString()));
    }

    @TestFactory
    Stream<DynamicTest> problems() throws IOException {
        return Cases.of("settings.json", one -> {
            Map<String, String> env = good();
            one.path("env").properties().forEach(e -> {
                if (e.getValue().isNull()) {
                    env.remove(e.getKey());
                } else {
                    env.put(e.getKey(), e.getValue().asText().replace("DIR", directory.toString()));
                }
            });
            if (one.has("file")) {
                Files.writeString(directory.resolve("file.json"), one.path("file").asText());
            }
            String said = assertThrows(ConfigurationException.class, () -> Settings.load(env)).getMessage();
            one.path("says").forEach(text -> assertTrue(said.contains(text.asText()), said));
        });
    }

    @Test
    void defaults() throws IOException, ConfigurationException {
        Settings settings = Settings.load(good());
        assertEquals(60, settings.filterCache().toSeconds());
        assertEquals(40, settings.pageSecret().length);
        assertTrue(settings.corsOrigins().isEmpty());
        assertTrue(settings.ignoreRules().openType("Questionnaire"));
        assertEquals(".well-known/openid-configuration", settings.wellKnown());
    }
}
