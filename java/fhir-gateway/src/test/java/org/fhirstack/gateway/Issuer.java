package org.fhirstack.gateway;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A token issuer of our own: keys that can be rotated, a discovery document, tokens. */
public final class Issuer {
    public static final String NAME = "https://issuer.example.org/realms/test";
    private final String name;
    private final Map<String, KeyPair> keys = new LinkedHashMap<>();
    public String discoveryIssuer;
    public boolean down;
    public int fetched;

    public Issuer() {
        this(NAME);
    }

    public Issuer(String name) {
        this.name = name;
        discoveryIssuer = name;
        add("one");
    }

    public void add(String kid) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            keys.put(kid, generator.generateKeyPair());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    public void remove(String kid) {
        keys.remove(kid);
    }

    public byte[] get(String url) throws IOException {
        fetched++;
        if (down) {
            throw new IOException("down");
        }
        ObjectNode document = Json.object();
        if (url.endsWith("openid-configuration")) {
            return Json.write(document.put("issuer", discoveryIssuer).put("jwks_uri", name + "/certs")
                    .put("token_endpoint", name + "/token"));
        }
        ArrayNode list = document.putArray("keys");
        keys.forEach((kid, pair) -> {
            RSAPublicKey key = (RSAPublicKey) pair.getPublic();
            list.addObject().put("kid", kid).put("kty", "RSA").put("use", "sig").put("alg", "RS256")
                    .put("n", base64(key.getModulus().toByteArray())).put("e", base64(key.getPublicExponent()
                            .toByteArray()));
        });
        return Json.write(document);
    }

    private static String base64(byte[] bytes) {
        int from = bytes[0] == 0 ? 1 : 0;
        return Base64.getUrlEncoder().withoutPadding().encodeToString(java.util.Arrays.copyOfRange(bytes, from,
                bytes.length));
    }

    /** A good token, then changed by {@code claims}: a null removes a claim, numbers are seconds from now. */
    public String token(String sub, List<String> roles, JsonNode claims) {
        return token(sub, roles, claims, "one");
    }

    public String token(String sub, List<String> roles, JsonNode claims, String kid) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("iss", name);
        all.put("sub", sub);
        all.put("exp", Instant.now().plusSeconds(300));
        all.put("typ", "Bearer");
        all.put("azp", "app");
        all.put("fhir_core_app_id", "quest");
        all.put("realm_access", Map.of("roles", roles));
        claims.properties().forEach(c -> {
            JsonNode v = c.getValue();
            if (v.isNull()) {
                all.remove(c.getKey());
            } else if (v.isInt()) {
                all.put(c.getKey(), Instant.now().plusSeconds(v.asInt()));
            } else if (v.isArray()) {
                all.put(c.getKey(), Cases.texts(v));
            } else if (v.isObject()) {
                Map<String, Object> map = new LinkedHashMap<>();
                v.properties().forEach(m -> map.put(m.getKey(), Cases.texts(m.getValue())));
                all.put(c.getKey(), map);
            } else {
                all.put(c.getKey(), v.asText());
            }
        });
        KeyPair pair = keys.get(kid);
        return JWT.create().withPayload(all).withKeyId(kid).sign(Algorithm.RSA256(null,
                (RSAPrivateKey) pair.getPrivate()));
    }

}
